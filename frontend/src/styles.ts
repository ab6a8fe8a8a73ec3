import { css } from "lit";

/** Common styles. Colours are Home Assistant's variables, each with a value for a page without them. */
export const styles = css`
  :host {
    --zai-text: var(--primary-text-color, #212121);
    --zai-quiet: var(--secondary-text-color, #5f6368);
    --zai-line: var(--divider-color, rgba(0, 0, 0, 0.12));
    --zai-surface: var(--card-background-color, #fff);
    --zai-accent: var(--primary-color, #009ac7);
    /* The accent alone has too little contrast for text. */
    --zai-link: color-mix(in srgb, var(--zai-accent) 70%, var(--zai-text));
    --zai-good: var(--success-color, #0f7b37);
    --zai-warn: var(--warning-color, #a35c00);
    --zai-bad: var(--error-color, #b3261e);
    --zai-bad-text: color-mix(in srgb, var(--zai-bad) 70%, var(--zai-text));
    color: var(--zai-text);
    display: block;
  }
  * {
    box-sizing: border-box;
  }
  .card {
    background: var(--zai-surface);
    border: 1px solid var(--zai-line);
    border-radius: var(--ha-card-border-radius, 12px);
    padding: 16px;
    margin-bottom: 16px;
    overflow-wrap: anywhere;
  }
  ha-card {
    display: block;
    margin-bottom: 16px;
    overflow-wrap: anywhere;
  }
  ha-card > .inside {
    padding: 16px;
  }
  ha-card p {
    margin: 8px 0;
  }
  ha-alert {
    display: block;
  }
  h2 {
    font-size: 1.15rem;
    font-weight: 500;
    margin: 0 0 12px;
  }
  .quiet {
    color: var(--zai-quiet);
  }
  .row {
    display: flex;
    flex-wrap: wrap;
    gap: 8px 16px;
    align-items: center;
  }
  .end {
    align-items: end;
  }
  .filters {
    align-items: end;
  }
  .spread {
    justify-content: space-between;
  }
  .above {
    margin-top: 12px;
  }
  .below {
    margin-bottom: 12px;
  }
  .around {
    margin: 8px 0;
  }
  .card p {
    margin: 8px 0;
  }
  .scroll {
    position: relative;
    overflow-x: auto;
  }
  table {
    border-collapse: collapse;
    width: 100%;
    font-size: 0.95rem;
  }
  th,
  td {
    text-align: start;
    padding: 8px 12px 8px 0;
    border-bottom: 1px solid var(--zai-line);
    vertical-align: top;
  }
  /* Long names break anywhere, but not after every third letter: the table scrolls instead. */
  .scroll td:first-child {
    min-width: 7em;
  }
  caption {
    text-align: start;
    padding: 12px 0 4px;
  }
  th {
    font-weight: 500;
    color: var(--zai-quiet);
    white-space: nowrap;
  }
  td.number,
  th.number {
    text-align: end;
    font-variant-numeric: tabular-nums;
    white-space: nowrap;
  }
  button,
  select,
  input,
  textarea {
    font: inherit;
    color: inherit;
    background: var(--zai-surface);
    border: 1px solid var(--input-outlined-idle-border-color, var(--zai-quiet));
    border-radius: 8px;
    padding: 8px 12px;
    min-height: 40px;
    max-width: 100%;
  }
  textarea {
    width: 100%;
  }
  button {
    overflow-wrap: normal;
    cursor: pointer;
  }
  button.main {
    background: var(--zai-link);
    border-color: var(--zai-link);
    color: var(--zai-surface);
  }
  button.danger {
    color: var(--zai-bad-text);
    border-color: var(--zai-bad);
  }
  button:disabled {
    opacity: 0.5;
    cursor: default;
  }
  :focus-visible {
    outline: 2px solid var(--zai-accent);
    outline-offset: 2px;
  }
  a {
    color: var(--zai-link);
  }
  label {
    display: inline-flex;
    flex-direction: column;
    gap: 4px;
    font-size: 0.9rem;
    color: var(--zai-quiet);
  }
  label > * {
    font-size: 1rem;
  }
  fieldset {
    border: 1px solid var(--zai-line);
    border-radius: 8px;
    margin: 12px 0;
    padding: 4px 12px 8px;
    display: flex;
    flex-wrap: wrap;
    gap: 4px 24px;
    min-width: 0;
  }
  legend {
    color: var(--zai-quiet);
    padding: 0 4px;
  }
  label.check {
    flex-direction: row;
    align-items: center;
    gap: 8px;
    min-height: 40px;
    font-size: 1rem;
    color: inherit;
  }
  label.check input {
    min-height: 20px;
    width: 20px;
    accent-color: var(--zai-link);
  }
  label.switch {
    flex-direction: row;
    align-items: center;
    gap: 12px;
    min-height: 40px;
    font-size: 1rem;
    color: inherit;
    cursor: pointer;
  }
  label.switch input {
    appearance: none;
    width: 44px;
    min-height: 24px;
    height: 24px;
    padding: 0;
    border-radius: 12px;
    background: radial-gradient(circle at 12px 50%, var(--zai-quiet) 8px, transparent 8.5px);
  }
  label.switch input:checked {
    border-color: var(--zai-link);
    background: radial-gradient(circle at 30px 50%, var(--zai-surface) 8px, transparent 8.5px) var(--zai-link);
  }
  label.wide {
    display: flex;
  }
  .sentence {
    font-size: 1.2rem;
  }
  dl {
    display: grid;
    grid-template-columns: max-content 1fr;
    gap: 4px 16px;
    margin: 8px 0 0;
  }
  dd {
    margin: 0;
  }
  dd ol {
    margin: 0;
    padding-inline-start: 20px;
  }
  li + li {
    margin-top: 8px;
  }
  pre {
    background: var(--secondary-background-color, #f1f1f1);
    border-radius: 8px;
    padding: 12px;
    overflow-x: auto;
    font-size: 0.85rem;
    margin: 8px 0;
  }
  .error {
    color: var(--zai-bad-text);
  }
  .warning {
    margin: 0 0 16px;
    padding: 12px;
    border-radius: 8px;
    border: 1px solid var(--zai-warn);
    background: var(--zai-surface);
  }
  .bar {
    height: 10px;
    border-radius: 5px;
    background: var(--zai-line);
    overflow: hidden;
  }
  .bar {
    position: relative;
  }
  .bar > i {
    position: absolute;
    top: 0;
    width: 2px;
    height: 100%;
    background: var(--zai-text);
  }
  .bar > div {
    height: 100%;
    background: var(--zai-good);
  }
  .bar.parts {
    display: flex;
  }
  .bar > .quiet-part {
    background: var(--zai-quiet);
  }
  .bar > .rest {
    flex: 1;
  }
  .bar.near > div {
    background: var(--zai-warn);
  }
  .bar.spent > div {
    background: var(--zai-bad);
  }
  .badge {
    display: inline-flex;
    gap: 6px;
    align-items: center;
    font-size: 0.9rem;
  }
  .badge::before {
    content: "";
    width: 10px;
    height: 10px;
    border-radius: 50%;
    background: var(--zai-quiet);
  }
  .badge.healthy::before {
    background: var(--zai-good);
  }
  .badge.degraded::before,
  .badge.resting::before {
    background: var(--zai-warn);
  }
  .badge.offline::before,
  .badge.unauthorized::before {
    background: var(--zai-bad);
  }
  .visually-hidden {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
`;

/** For elements whose lists have no bullets. */
export const plainLists = css`
  ul {
    margin: 0;
    padding: 0;
    list-style: none;
  }
`;

/** For tables of class `blocks`: a phone shows each row as a block. A `data-label` is the heading of a cell there. */
export const blockRows = css`
  @media (max-width: 600px) {
    .blocks thead {
      display: none;
    }
    .blocks tr {
      display: flex;
      flex-wrap: wrap;
      gap: 4px 16px;
      padding: 8px 0;
      border-bottom: 1px solid var(--zai-line);
    }
    .blocks td {
      border: 0;
      padding: 0;
      text-align: start;
    }
    .blocks td[data-label]::before {
      content: attr(data-label) ": ";
      color: var(--zai-quiet);
    }
    .blocks td:first-child,
    .blocks td:last-child {
      width: 100%;
    }
  }
`;
