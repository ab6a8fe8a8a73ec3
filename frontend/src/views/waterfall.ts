import { html, type TemplateResult } from "lit";
import type { RequestRecord } from "../api/types.js";
import { duration } from "../format.js";
import type { Texts } from "../texts.js";

/** A part of the time of a request, in milliseconds from its arrival. */
export interface Span {
  /** Its kind: a key of the texts `requests.span_…`. */
  kind: "waiting" | "attempt" | "first_byte" | "first_token" | "answer" | "rest";
  from: number;
  to: number;
  /** The provider of a failed attempt. */
  provider?: string;
}

/** The time of a request in its parts, one after the other: waiting, failed attempts, and the steps of the answer. */
export function spans(record: RequestRecord): Span[] {
  const found: Span[] = [];
  const end = record.duration_ms;
  let at = 0;
  const add = (kind: Span["kind"], to: number | null, provider?: string): void => {
    if (to === null || to <= at) return;
    found.push({ kind, from: at, to: Math.min(to, end), ...(provider === undefined ? {} : { provider }) });
    at = Math.min(to, end);
  };
  for (const attempt of record.failed_attempts) {
    if (attempt.began_ms === null) continue; // a record of an earlier version
    add("waiting", attempt.began_ms);
    add("attempt", attempt.ended_ms, attempt.backend_name);
  }
  add("waiting", record.sent_ms);
  add("first_byte", record.first_byte_ms);
  if (record.streamed) {
    add("first_token", record.latency_ms);
    add("answer", record.latency_ms === null ? null : end);
  } else add("answer", record.latency_ms);
  add("rest", end);
  return found;
}

/** The parts as bars below each other, each at its time. */
export function waterfall(record: RequestRecord, texts: Texts, language: string): TemplateResult {
  const whole = Math.max(1, record.duration_ms);
  const percent = (value: number): string => `${Math.max(0, Math.min(100, (value / whole) * 100)).toFixed(2)}%`;
  return html`<ol class="waterfall" aria-label=${texts("requests.waterfall")}>
    ${spans(record).map(
      ({ kind, from, to, provider }) =>
        html`<li>
          <span>${texts(`requests.span_${kind}`, { provider: provider ?? record.backend_name ?? "" })}</span>
          <span class="number">${duration(to - from, language)}</span>
          <span class="track" aria-hidden="true"
            ><span class=${kind} .style=${`margin-inline-start:${percent(from)};width:${percent(to - from)}`}></span
          ></span>
        </li>`,
    )}
  </ol>`;
}
