import { css } from "lit";

/** The list beside the conversation; on a phone it is shown on demand. */
export const layout = css`
  .chat {
    display: grid;
    grid-template-columns: 260px minmax(0, 1fr);
    gap: 24px;
  }
  aside {
    max-height: max(420px, calc(100dvh - 170px));
    overflow-y: auto;
  }
  section {
    display: flex;
    flex-direction: column;
    gap: 12px;
    min-width: 0;
    height: max(420px, calc(100dvh - 170px));
  }
  .top {
    display: flex;
    justify-content: flex-end;
    gap: 8px;
  }
  .toggle {
    display: none;
  }
  .messages {
    flex: 1;
    min-height: 120px;
    overflow-y: auto;
    display: flex;
    flex-direction: column;
    gap: 16px;
    padding: 4px;
  }
  .messages > :first-child {
    margin-top: auto;
  }
  .empty {
    margin: auto;
    text-align: center;
    max-width: 560px;
  }
  .ideas {
    display: grid;
    grid-template-columns: 1fr 1fr;
    gap: 12px;
  }
  .ideas button {
    text-align: start;
    padding: 12px 16px;
  }
  @media (max-width: 800px) {
    .chat {
      display: block;
    }
    aside {
      display: none;
      margin-bottom: 16px;
      max-height: 50vh;
    }
    aside.shown {
      display: block;
    }
    .toggle {
      display: block;
    }
    .top {
      justify-content: space-between;
    }
    .ideas {
      grid-template-columns: 1fr;
    }
    section {
      height: max(420px, calc(100dvh - 150px));
    }
  }
`;
