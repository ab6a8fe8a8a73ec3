import { css } from "lit";
import { styles } from "./styles.js";

/** Styles of the page without Home Assistant: its header, and a form or a card before somebody has logged in. */
export const frame = [
  styles,
  css`
    header {
      display: flex;
      align-items: center;
      justify-content: space-between;
      gap: 16px;
      padding: 8px 16px;
      background: var(--zai-surface);
      border-bottom: 1px solid var(--zai-line);
    }
    h1 {
      font-size: 1.25rem;
      font-weight: 500;
      margin: 0;
    }
    .entrance {
      max-width: 30rem;
      margin: 10vh auto;
    }
    .entrance > * {
      margin: 12px 0;
    }
    .wide {
      width: 100%;
    }
  `,
];
