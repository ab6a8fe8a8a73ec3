import { html, type TemplateResult } from "lit";

/** How much of something is used, as a bar with a name for screen readers. It turns at the lowest threshold, and when all is used. */
export function bar(
  percent: number,
  name: string,
  thresholds: number[] = [80],
  marks: readonly number[] = [],
): TemplateResult {
  const near = percent >= Math.min(...thresholds, 100);
  const shown = Math.min(100, percent);
  return html`<div
    class="bar ${percent >= 100 ? "spent" : near ? "near" : ""}"
    role="meter"
    aria-valuemin="0"
    aria-valuemax="100"
    aria-valuenow=${shown}
    aria-label=${name}
  >
    <div .style=${`width: ${shown}%`}></div>
    ${marks.filter((mark) => mark < 100).map((mark) => html`<i data-at=${mark} .style=${`inset-inline-start: ${mark}%`}></i>`)}
  </div>`;
}
