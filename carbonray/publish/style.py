"""The page's style sheet: light, printable, one column on a telephone; colours that the colour-blind can tell apart."""

STYLE = """
:root{--ink:#14212b;--muted:#566674;--line:#dde4ea;--wash:#f4f7f9;--accent:#0a6a7c;--pale:#cfe3e8;--warm:#b8480a;
--violet:#6a3cb0;--second:#7a5a00;color-scheme:light}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
body{margin:0;color:var(--ink);background:#fff;font:16px/1.55 Inter,"Segoe UI",system-ui,-apple-system,Roboto,
"Helvetica Neue","Liberation Sans",Arial,sans-serif;font-variant-numeric:tabular-nums;overflow-wrap:break-word}
main,footer,.banner p{max-width:1120px;margin:0 auto;padding:0 24px}
.banner{border-bottom:1px solid;font-size:14px}
.banner p{padding-top:9px;padding-bottom:9px}
.banner strong{letter-spacing:.06em;margin-right:.6em}
.banner.synthetic{background:#fff3d6;border-color:#eacb85;color:#5c3d00}
.banner.real{background:#e3f1ee;border-color:#a9d2c8;color:#0d4a3e}
header{padding:52px 0 8px}
.eyebrow{margin:0;color:var(--accent);font-size:13px;font-weight:600;letter-spacing:.09em;text-transform:uppercase}
h1{margin:6px 0 10px;font-size:clamp(30px,4.6vw,46px);line-height:1.1;letter-spacing:-.022em;font-weight:700}
header .lead{font-size:19px;max-width:46em}
nav{margin:22px 0 0;display:flex;flex-wrap:wrap;gap:6px 20px;font-size:14px}
a{color:var(--accent);text-decoration:none;border-bottom:1px solid var(--pale)}
a:hover{border-color:currentColor}
section{padding:34px 0 10px;border-top:1px solid var(--line);margin-top:34px}
h2{margin:0 0 6px;font-size:25px;line-height:1.2;letter-spacing:-.014em}
h2.chapter{font-size:34px;letter-spacing:-.02em}
h3{margin:26px 0 6px;font-size:17px}
.lead{margin:0 0 18px;color:var(--muted);max-width:52em}
dl{margin:0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));margin:30px 0 0;
border:1px solid var(--line);border-radius:10px;overflow:hidden}
.tiles div{box-shadow:0 0 0 .5px var(--line);padding:14px 16px 15px;
display:flex;flex-direction:column-reverse;justify-content:flex-end}
.tiles dt{color:var(--muted);font-size:13px;line-height:1.35}
.tiles dd{margin:0;font-size:22px;line-height:1.25;font-weight:650;letter-spacing:-.015em}
.facts div{display:grid;grid-template-columns:minmax(120px,190px) minmax(0,1fr);gap:0 18px;padding:7px 0;
border-bottom:1px solid var(--line);font-size:15px}
.facts dt{color:var(--muted)}
.facts dd{margin:0;overflow-wrap:anywhere}
.columns{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:14px 44px;align-items:start}
.columns>*{min-width:0}
.columns>:only-child{max-width:640px;grid-column:1/-1}
.tall{max-height:340px;overflow:auto}
.pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(180px,1fr));gap:6px 18px}
.pictures .figure{image-rendering:pixelated}
.ring{fill:none;stroke:#fff;stroke-width:.8;vector-effect:non-scaling-stroke;stroke-dasharray:2 2}
figure{margin:8px 0 16px}
.figure{display:block;width:100%;height:auto}
figcaption{color:var(--muted);font-size:14px;line-height:1.45;margin-top:8px;max-width:60em}
.legend{display:flex;flex-wrap:wrap;gap:4px 20px;font-size:14px;margin-top:8px}
.entry{display:inline-flex;align-items:center;gap:7px}
.key{width:16px;height:16px;flex:none}
.key.wide{width:24px}
.scroll{overflow-x:auto;margin:10px 0 18px}
.scroll:focus-visible{outline:2px solid var(--accent);outline-offset:3px}
table{border-collapse:collapse;width:100%;font-size:14.5px}
caption{text-align:left;color:var(--muted);padding:0 0 8px;font-size:14px}
th{text-align:left;font-weight:600;font-size:13px;color:var(--muted);border-bottom:1.5px solid var(--ink);
padding:6px 12px 6px 0;vertical-align:bottom}
th[scope=colgroup]{border-bottom:1px solid var(--line)}
td{padding:7px 12px 7px 0;border-bottom:1px solid var(--line);vertical-align:middle}
td.number,th.number{text-align:right}
tbody tr:hover{background:var(--wash)}
.published{color:#4b5560;background:#f1f1ee}
td.published,th.published{padding-left:12px}
.nowrap{white-space:nowrap}
.pair{display:flex;align-items:center;gap:10px;white-space:nowrap}
.interval{width:100px;height:16px;flex:none}
.tag{display:inline-block;padding:0 8px;border-radius:99px;font-size:12.5px;line-height:1.7;
background:#e2eff1;color:#07505e}
.tag.false{background:#eee6f9;color:#4d2890}
td .mono{overflow-wrap:anywhere}
pre{background:var(--wash);border:1px solid var(--line);border-radius:8px;padding:14px 16px;overflow-x:auto;
font-size:13px;line-height:1.6}
code,.mono{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.92em}
details{margin:12px 0}
summary{cursor:pointer;color:var(--accent);font-size:15px}
footer{padding:26px 24px 60px;margin-top:44px;color:var(--muted);font-size:13.5px;border-top:1px solid var(--line)}
svg text{font-size:12.5px;fill:var(--ink);font-family:inherit}
svg text.tick{font-size:11.5px;fill:var(--muted)}
svg text.second,svg text.tick.second{fill:var(--second)}
.sea{fill:#eef4f7}.graticule{fill:none;stroke:#d7e2e9;stroke-width:.6}
.land{fill:#d9ded8;stroke:#b4bdb3;stroke-width:.5}
.window{fill:none;stroke:var(--ink);stroke-width:1.3;stroke-dasharray:4 3}
.unseen{fill:#eceff1}.raster{image-rendering:pixelated}
.coast{fill:none;stroke:#33424d;stroke-width:1;stroke-opacity:.75}
.frame{fill:none;stroke:#8b99a4;stroke-width:.8}
.halo{fill:none;stroke:#fff;stroke-linejoin:round;stroke-linecap:round}.halo.solid{stroke-width:2.4}
.halo.hollow{stroke-width:4.4;stroke-opacity:.9}
.mark.hotspot,.mark.found{--mark:#0a5666}.mark.false{--mark:var(--violet)}.mark.missed{--mark:#a33a00}
.mark.solid{fill:var(--mark)}.mark.hollow{fill:none;stroke:var(--mark);stroke-width:2.1;stroke-linecap:round}
.bar{fill:var(--accent)}.bar.pale{fill:var(--pale)}
.grid{stroke:var(--line);stroke-width:1;fill:none}
.line{fill:none;stroke:var(--accent);stroke-width:2.1;stroke-linejoin:round}
.line.second{stroke:var(--second);stroke-width:1.7}
.line.s1{stroke:var(--warm)}.line.s2{stroke:var(--violet)}.line.s3{stroke:var(--second)}
.line.published{stroke:#6b7280;stroke-width:1.8;background:none}
.band{fill:var(--accent);fill-opacity:.14}.band.s1{fill:var(--warm)}.band.s2{fill:var(--violet)}.band.s3{fill:var(--second)}
.base{stroke:var(--line);stroke-width:2}.span{stroke:var(--accent);stroke-width:2.4;stroke-opacity:.45}
.dot{fill:var(--accent)}
.bubble{stroke:var(--ink);stroke-width:.8;stroke-opacity:.7;fill-opacity:.84}
.bubble.unknown{fill:none;stroke:#a33a00;stroke-width:1.4;stroke-dasharray:2 2}
svg.bubbles text{font-size:17px}
.thirds{display:grid;grid-template-columns:repeat(3,minmax(0,1fr));gap:14px 28px;align-items:start}
.thirds .figure{max-width:420px}
.dots{fill:none;stroke-linecap:round;stroke-width:4.6}
.dots.on{stroke:#d0691f;stroke-opacity:.55}.dots.off{stroke:#6f7f8c;stroke-opacity:.85}
.dots.held-out{stroke:var(--accent);stroke-width:6}.dots.external{stroke:var(--warm);stroke-width:6}
.line.reported{stroke:var(--ink);stroke-width:1.5}
.line.part{stroke-width:1.3;stroke:var(--violet);stroke-dasharray:5 3}
.line.part.fgd{stroke:var(--second);stroke-dasharray:2 3}
.whisker{fill:none;stroke-width:1.2;stroke-opacity:.4}.whisker.held-out{stroke:var(--accent)}
.whisker.external{stroke:var(--warm)}
.diagonal{fill:none;stroke:var(--ink);stroke-width:1;stroke-dasharray:5 4;stroke-opacity:.6}
.point-at{fill:transparent}
svg text.held-out{fill:var(--accent)}svg text.external{fill:var(--warm)}
td small{display:block;color:var(--muted);font-size:12.5px;line-height:1.35}
td .pair .interval{width:76px}
@media(max-width:760px){.thirds{grid-template-columns:minmax(0,1fr)}svg.bubbles text{font-size:30px}
main,footer,.banner p{padding-left:18px;padding-right:18px}header{padding-top:34px}
header .lead{font-size:17px}.columns{grid-template-columns:minmax(0,1fr)}.tiles{grid-template-columns:repeat(2,1fr)}
.tiles dd{font-size:20px}.facts div{grid-template-columns:minmax(0,1fr)}}
@media print{body{font-size:11pt}nav,summary{display:none}section{break-inside:auto;padding-top:14px;margin-top:14px}
figure,tr{break-inside:avoid}.banner,.tiles,.bar,.dot,.mark,.published{print-color-adjust:exact;
-webkit-print-color-adjust:exact}.scroll{overflow:visible}}
"""
