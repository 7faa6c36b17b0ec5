"""A bar chart as SVG, made of nothing but text: readable on a light page and on a dark one."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

_ROW, _LABEL, _BAR, _FIGURE = 22, 250, 430, 110
_STYLE = (
    "text{font:13px sans-serif;fill:#555}.own{fill:#2a7ab9}.other{fill:#b5b5b5}"
    "@media (prefers-color-scheme:dark){text{fill:#bbb}.other{fill:#777}}"
)


def bars(title: str, rows: Sequence[tuple[str, float, bool]], unit: str) -> str:
    """Each row a label, a value above zero and whether it is ours; the greatest fills the width."""
    most = max(value for _, value, _ in rows)
    height, width = _ROW * (len(rows) + 2), _LABEL + _BAR + _FIGURE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<text x="0" y="16">{escape(title)}</text>',
    ]
    for number, (label, value, own) in enumerate(rows):
        top = _ROW * (number + 1) + 6
        long = max(1.0, _BAR * value / most)
        parts.append(
            f'<text x="{_LABEL - 8}" y="{top + 13}" text-anchor="end">{escape(label)}</text>'
            f'<rect class="{"own" if own else "other"}" x="{_LABEL}" y="{top}"'
            f' width="{long:.1f}" height="{_ROW - 6}" rx="2"/>'
            f'<text x="{_LABEL + long + 6:.1f}" y="{top + 13}">{value:.3g} {escape(unit)}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])
