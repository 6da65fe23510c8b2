"""Names of countries, as inventories write them, and their ISO 3166-1 alpha-3 codes; a code stands for itself.

Source: ISO 3166-1; XKX is the code in common use for Kosovo, which the standard does not list.
"""

from collections.abc import Mapping
from types import MappingProxyType

_NAMES = """
Afghanistan AFG; Albania ALB; Algeria DZA; American Samoa ASM; Andorra AND; Angola AGO; Antarctica ATA;
Antigua and Barbuda ATG; Argentina ARG; Armenia ARM; Aruba ABW; Australia AUS; Austria AUT; Azerbaijan AZE;
Bahamas BHS; Bahrain BHR; Bangladesh BGD; Barbados BRB; Belarus BLR; Belgium BEL; Belize BLZ; Benin BEN; Bermuda BMU;
Bhutan BTN; Bolivia BOL; Bosnia and Herzegovina BIH; Botswana BWA; Brazil BRA; British Virgin Islands VGB;
Brunei BRN; Brunei Darussalam BRN; Bulgaria BGR; Burkina Faso BFA; Burundi BDI; Cambodia KHM; Cameroon CMR;
Canada CAN; Cape Verde CPV; Cabo Verde CPV; Cayman Islands CYM; Central African Republic CAF; Chad TCD; Chile CHL;
China CHN; Colombia COL; Comoros COM; Congo COG; Cook Islands COK; Costa Rica CRI; Cote DIvoire CIV;
Côte d'Ivoire CIV; Ivory Coast CIV; Croatia HRV; Cuba CUB; Curaçao CUW; Cyprus CYP; Czech Republic CZE; Czechia CZE;
Democratic Republic of the Congo COD; DR Congo COD; Denmark DNK; Djibouti DJI; Dominica DMA; Dominican Republic DOM;
East Timor TLS; Timor-Leste TLS; Ecuador ECU; Egypt EGY; El Salvador SLV; Equatorial Guinea GNQ; Eritrea ERI;
Estonia EST; Eswatini SWZ; Swaziland SWZ; Ethiopia ETH; Falkland Islands FLK; Faroe Islands FRO; Fiji FJI;
Finland FIN; France FRA; French Guiana GUF; French Polynesia PYF; Gabon GAB; Gambia GMB; Georgia GEO; Germany DEU;
Ghana GHA; Gibraltar GIB; Greece GRC; Greenland GRL; Grenada GRD; Guadeloupe GLP; Guam GUM; Guatemala GTM;
Guernsey GGY; Guinea GIN; Guinea-Bissau GNB; Guyana GUY; Haiti HTI; Honduras HND; Hong Kong HKG; Hungary HUN;
Iceland ISL; India IND; Indonesia IDN; Iran IRN; Iraq IRQ; Ireland IRL; Isle of Man IMN; Israel ISR; Italy ITA;
Jamaica JAM; Japan JPN; Jersey JEY; Jordan JOR; Kazakhstan KAZ; Kenya KEN; Kiribati KIR; Kosovo XKX; Kuwait KWT;
Kyrgyzstan KGZ; Laos LAO; Latvia LVA; Lebanon LBN; Lesotho LSO; Liberia LBR; Libya LBY; Liechtenstein LIE;
Lithuania LTU; Luxembourg LUX; Macau MAC; Madagascar MDG; Malawi MWI; Malaysia MYS; Maldives MDV; Mali MLI;
Malta MLT; Marshall Islands MHL; Martinique MTQ; Mauritania MRT; Mauritius MUS; Mayotte MYT; Mexico MEX;
Micronesia FSM; Moldova MDA; Monaco MCO; Mongolia MNG; Montenegro MNE; Montserrat MSR; Morocco MAR; Mozambique MOZ;
Myanmar MMR; Namibia NAM; Nauru NRU; Nepal NPL; Netherlands NLD; New Caledonia NCL; New Zealand NZL; Nicaragua NIC;
Niger NER; Nigeria NGA; Niue NIU; North Korea PRK; North Macedonia MKD; Macedonia MKD; Northern Mariana Islands MNP;
Norway NOR; Oman OMN; Pakistan PAK; Palau PLW; Palestine PSE; Panama PAN; Papua New Guinea PNG; Paraguay PRY;
Peru PER; Philippines PHL; Poland POL; Portugal PRT; Puerto Rico PRI; Qatar QAT; Republic of the Congo COG;
Réunion REU; Romania ROU; Russia RUS; Rwanda RWA; Saint Helena SHN; Saint Kitts and Nevis KNA; Saint Lucia LCA;
Saint Pierre and Miquelon SPM; Saint Vincent and the Grenadines VCT; Samoa WSM; Sao Tome and Principe STP;
Saudi Arabia SAU; Senegal SEN; Serbia SRB; Seychelles SYC; Sierra Leone SLE; Singapore SGP; Slovakia SVK;
Slovenia SVN; Solomon Islands SLB; Somalia SOM; South Africa ZAF; South Korea KOR; South Sudan SSD; Spain ESP;
Sri Lanka LKA; Sudan SDN; Suriname SUR; Svalbard and Jan Mayen SJM; Sweden SWE; Switzerland CHE; Syria SYR;
Syrian Arab Republic SYR; Taiwan TWN; Tajikistan TJK; Tanzania TZA; Thailand THA; Togo TGO; Tonga TON;
Trinidad and Tobago TTO; Tunisia TUN; Turkey TUR; Türkiye TUR; Turkmenistan TKM; Turks and Caicos Islands TCA;
Tuvalu TUV; Uganda UGA; Ukraine UKR; United Arab Emirates ARE; United Kingdom GBR; United States USA;
United States of America USA; Uruguay URY; US Virgin Islands VIR; Uzbekistan UZB; Vanuatu VUT; Venezuela VEN;
Vietnam VNM; Viet Nam VNM; Western Sahara ESH; Yemen YEM; Zambia ZMB; Zimbabwe ZWE
"""

_PAIRS = [entry.strip().rsplit(" ", 1) for entry in _NAMES.replace("\n", " ").split(";")]

_OTHERS = {"AU": "AUS", "KOS": "XKX", "Macao": "MAC", "Reunion": "REU", "The Gambia": "GMB", "Czech republic": "CZE"}

# country as written -> ISO3
ISO3: Mapping[str, str] = MappingProxyType(
    {name.strip(): code for name, code in _PAIRS} | {code: code for _, code in _PAIRS} | _OTHERS
)
