#!/usr/bin/env python3
"""The curve of a run's log.jsonl as a small SVG picture: loss of every step, and of the validation set.

    curve_svg.py LOG OUT.svg [TITLE]
"""
import html
import json
import math
import sys

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 300, 52, 14, 34, 40


def main():
    records = [json.loads(line) for line in open(sys.argv[1])]
    points = [(r["tokens"], r["loss"]) for r in records]
    held_out = [(r["tokens"], r["validation_loss"]) for r in records if "validation_loss" in r]
    most, low = points[-1][0], math.floor(2 * min(y for _, y in points + held_out)) / 2
    high = math.ceil(2 * max(y for _, y in points)) / 2

    def at(point):
        x = LEFT + (WIDTH - LEFT - RIGHT) * point[0] / most
        return f"{x:.1f},{TOP + (HEIGHT - TOP - BOTTOM) * (high - point[1]) / (high - low):.1f}"

    def line(series, colour, width):
        return (f'<polyline points="{" ".join(map(at, series))}" fill="none" stroke="{colour}" '
                f'stroke-width="{width}" stroke-linejoin="round"/>')

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
             'font-family="sans-serif" font-size="12" role="img">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>']
    step = 1 if high - low <= 7 else 2
    for y in range(math.ceil(low), math.floor(high) + 1, step):
        x0, y0 = at((0, y)).split(",")
        parts.append(f'<path d="M{x0} {y0}H{WIDTH - RIGHT}" stroke="#ddd"/>'
                     f'<text x="{LEFT - 8}" y="{float(y0) + 4:.1f}" text-anchor="end" fill="#444">{y}</text>')
    for share in (0, 0.25, 0.5, 0.75, 1):
        x = float(at((share * most, low)).split(",")[0])
        anchor = "end" if share == 1 else "middle"
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="{anchor}" fill="#444">'
                     f'{share * most / 1e6:.1f}M</text>')
    parts += [f'<text x="{LEFT}" y="20" fill="#000">{html.escape(sys.argv[3] if len(sys.argv) > 3 else "loss")}</text>',
              f'<text x="{(WIDTH + LEFT) / 2}" y="{HEIGHT - 6}" text-anchor="middle" fill="#444">tokens</text>',
              line(points, "#7aa6d6", 1)]
    if held_out:
        parts += [line(held_out, "#b3261e", 2),
                  f'<text x="{WIDTH - RIGHT}" y="20" text-anchor="end" fill="#b3261e">validation {held_out[-1][1]:.2f}</text>']
    parts.append("</svg>")
    open(sys.argv[2], "w").write("\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
