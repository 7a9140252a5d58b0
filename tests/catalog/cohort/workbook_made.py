"""Small Excel workbooks from their XML, for the tests: what a spreadsheet program writes, without one."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_KINDS = (
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_KIND}.styles+xml"/>'
    f'<Override PartName="/xl/sharedStrings.xml" ContentType="{_KIND}.sharedStrings+xml"/>'
)
_ROOT = f'<Relationship Id="rId1" Type="{_LINKS}/officeDocument" Target="xl/workbook.xml"/>'
_PARTS = (
    f'<Relationship Id="rIdS" Type="{_LINKS}/styles" Target="styles.xml"/>'
    f'<Relationship Id="rIdT" Type="{_LINKS}/sharedStrings" Target="sharedStrings.xml"/>'
)
# 0 General, 1 the built-in date 14, 2 six zeros, 3 a date of one's own, 4 two decimals with a unit, 5 day and time
STYLES = f"""<styleSheet {_MAIN}><numFmts count="3"><numFmt numFmtId="164" formatCode="000000"/><numFmt numFmtId="165"
formatCode="[$-409]d\\-mmm\\-yy;@"/><numFmt numFmtId="166" formatCode="0.00 &quot;days&quot;"/></numFmts>
<fonts><font/></fonts><fills><fill><patternFill/></fill></fills>
<borders><border/></borders><cellStyleXfs><xf/></cellStyleXfs>
<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="166"/>
<xf numFmtId="22"/></cellXfs></styleSheet>"""


def text(place: str, words: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{words}</t></is></c>'


def number(place: str, value: str, *, style: int = 0) -> str:
    return f'<c r="{place}" s="{style}"><v>{value}</v></c>'


def write_workbook(
    path: Path,
    sheets: Mapping[str, Mapping[int, Sequence[str]]],
    *,
    shared: str = "",
    hidden: Sequence[str] = (),
    properties: str = "",
) -> Path:
    """Sheets of rows of cells (XML); `shared` holds the items of the shared strings."""
    names = "".join(
        f'<sheet name="{name}" sheetId="{at}" r:id="rId{at}" state="{"hidden" if name in hidden else "visible"}"/>'
        for at, name in enumerate(sheets, start=1)
    )
    links = "".join(
        f'<Relationship Id="rId{at}" Type="{_LINKS}/worksheet" Target="worksheets/sheet{at}.xml"/>'
        for at, _ in enumerate(sheets, start=1)
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "xl/workbook.xml", f'<workbook {_MAIN} xmlns:r="{_LINKS}">{properties}<sheets>{names}</sheets></workbook>'
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{_PACKAGE}/relationships">{links}{_PARTS}</Relationships>',
        )
        archive.writestr("_rels/.rels", f'<Relationships xmlns="{_PACKAGE}/relationships">{_ROOT}</Relationships>')
        kinds = "".join(
            f'<Override PartName="/xl/worksheets/sheet{at}.xml" ContentType="{_KIND}.worksheet+xml"/>'
            for at, _ in enumerate(sheets, start=1)
        )
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{_PACKAGE}/content-types">{_KINDS}{kinds}</Types>')
        archive.writestr("xl/styles.xml", STYLES)
        archive.writestr("xl/sharedStrings.xml", f"<sst {_MAIN}>{shared}</sst>")
        for at, rows in enumerate(sheets.values(), start=1):
            body = "".join(f'<row r="{row}">{"".join(cells)}</row>' for row, cells in rows.items())
            archive.writestr(
                f"xl/worksheets/sheet{at}.xml", f"<worksheet {_MAIN}><sheetData>{body}</sheetData></worksheet>"
            )
    return path
