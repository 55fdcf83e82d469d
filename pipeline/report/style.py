"""How the page looks: one column of text, a contents list beside it where there is room, light and dark."""

from __future__ import annotations

CSS = """
:root { color-scheme: light dark; --ink: #24292f; --soft: #5c6670; --line: #dde2e7; --page: #fdfdfc; --card: #f5f6f7;
  --link: #1f63b8; }
@media (prefers-color-scheme: dark) { :root { --ink: #d7dce1; --soft: #96a0aa; --line: #31383f; --page: #14171a;
  --card: #1c2126; --link: #7db4f0; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1rem; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink); font: 1.05rem/1.6 Charter, "Iowan Old Style",
  "Source Serif 4", Georgia, "DejaVu Serif", serif; }
.frame { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
main { min-width: 0; }
h1, h2, h3, nav, table { font-family: system-ui, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; letter-spacing: -0.01em; margin: 0 0 1rem; }
h2 { font-size: 1.35rem; line-height: 1.25; margin: 3.2rem 0 0.8rem; padding-top: 1.1rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.02rem; margin: 2.2rem 0 0.7rem; }
p { margin: 0.8rem 0; max-width: 44rem; }
p:has(img) { max-width: 30rem; }
p:has(img + img) { max-width: none; columns: 22rem 2; column-gap: 1.6rem; }
p:has(img.broad) { max-width: 46rem; overflow-x: auto; }
p img { width: 100%; margin-bottom: 1rem; break-inside: avoid; }
p img.broad { min-width: 34rem; }
a { color: var(--link); text-decoration-thickness: 1px; text-underline-offset: 0.15em; }
a:focus-visible, .scroll:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
code { font-size: 0.86em; background: var(--card); padding: 0.1em 0.35em; border-radius: 4px; }
ol { padding-left: 1.6rem; }
img { max-width: 100%; height: auto; vertical-align: top; }
.scroll { overflow-x: auto; margin: 1rem 0; border: 1px solid var(--line); border-radius: 6px; }
.scroll img { max-width: none; image-rendering: pixelated; border-radius: 2px; }
table { border-collapse: collapse; width: 100%; font-size: 0.84rem; line-height: 1.4;
  font-variant-numeric: tabular-nums; }
th, td { padding: 0.38rem 0.7rem; text-align: left; vertical-align: top; }
td { border-top: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 600; vertical-align: bottom; background: var(--card); }
td:has(img) { padding: 0.35rem; }
tr:has(img) td:first-child { white-space: normal; min-width: 8.5rem; }
.right { text-align: right; }
nav { font-size: 0.86rem; line-height: 1.45; margin: 0 0 2rem; padding: 0.8rem 1rem; background: var(--card);
  border-radius: 6px; }
nav p { margin: 0 0 0.3rem; color: var(--soft); font-weight: 600; }
nav ol { margin: 0; padding: 0; list-style: none; }
nav a { display: block; padding: 0.18rem 0; color: inherit; text-decoration: none; }
nav a:hover { color: var(--link); text-decoration: underline; }
@media (min-width: 70rem) {
  .frame { max-width: 82rem; display: grid; grid-template-columns: 13rem minmax(0, 62rem); gap: 3.5rem;
    padding-top: 3rem; }
  nav { position: sticky; top: 2rem; align-self: start; max-height: calc(100vh - 4rem); overflow-y: auto;
    background: none; padding: 0; }
}
@media print { nav { display: none; } .scroll { overflow: visible; border: 0; } h2 { break-after: avoid; } }
"""
