import { BarController, BarElement, CategoryScale, Chart, Legend, LinearScale, Tooltip } from "chart.js";

Chart.register(BarController, BarElement, CategoryScale, Legend, LinearScale, Tooltip);

/** Distinguishable in light and dark, also for people who confuse red and green (Okabe and Ito, 2008). */
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999"];
const SERIES = COLOURS.length - 1;

export interface Point {
  x: string;
  name: string;
  value: number;
}

/** Bars for each `x`, stacked by name; the names with the smallest sums share the last colour. `whole`: values are whole numbers. */
export function stackedBars(canvas: HTMLCanvasElement, points: Point[], whole = true): { destroy(): void } {
  const style = getComputedStyle(canvas);
  const labels = [...new Set(points.map((point) => point.x))].sort();
  const sums = new Map<string, number>();
  for (const { name, value } of points) sums.set(name, (sums.get(name) ?? 0) + value);
  const names = [...sums.keys()].sort((a, b) => (sums.get(b) ?? 0) - (sums.get(a) ?? 0));
  const shown = names.slice(0, SERIES);
  const rest = new Set(names.slice(SERIES));
  const series = shown.map((name) => ({ label: name, of: new Set([name]) }));
  if (rest.size > 0) series.push({ label: "…", of: rest });
  return new Chart(canvas, {
    type: "bar",
    data: {
      labels,
      datasets: series.map(({ label, of }, index) => ({
        label,
        backgroundColor: COLOURS[index] ?? "#999999",
        data: labels.map((x) =>
          points
            .filter((point) => point.x === x && of.has(point.name))
            .reduce((total, point) => total + point.value, 0),
        ),
      })),
    },
    options: {
      animation: false,
      maintainAspectRatio: false,
      color: style.color,
      scales: {
        x: { stacked: true, ticks: { color: style.color }, grid: { display: false } },
        y: { stacked: true, beginAtZero: true, ticks: { color: style.color, ...(whole ? { precision: 0 } : {}) } },
      },
      plugins: { legend: { position: "bottom" } },
    },
  });
}
