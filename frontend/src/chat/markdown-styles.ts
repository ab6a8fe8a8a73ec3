import { css } from "lit";

/** How the elements of `markdown` look. */
export const markdownStyles = css`
  .markdown > :first-child {
    margin-top: 0;
  }
  .markdown > :last-child {
    margin-bottom: 0;
  }
  .markdown p,
  .markdown .scroll,
  .markdown ul,
  .markdown ol,
  .markdown blockquote {
    margin: 0 0 10px;
  }
  .markdown .plain {
    white-space: pre-wrap;
  }
  .markdown ul,
  .markdown ol {
    padding-inline-start: 24px;
  }
  .markdown li + li {
    margin-top: 4px;
  }
  .markdown li > p {
    margin-bottom: 4px;
  }
  .markdown h3,
  .markdown h4,
  .markdown h5,
  .markdown h6 {
    margin: 14px 0 6px;
    font-size: 1rem;
    font-weight: 600;
  }
  .markdown h3 {
    font-size: 1.15rem;
  }
  .markdown blockquote {
    border-inline-start: 3px solid var(--zai-line);
    padding-inline-start: 12px;
    color: var(--zai-quiet);
  }
  .markdown code {
    font-family: ui-monospace, monospace;
    font-size: 0.9em;
    background: var(--secondary-background-color, #f1f1f1);
    border-radius: 4px;
    padding: 1px 4px;
  }
  .markdown pre code {
    background: none;
    padding: 0;
  }
  .markdown table {
    width: auto;
  }
`;
