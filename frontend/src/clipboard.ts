/** Copy a text. Pages over plain HTTP have no `navigator.clipboard`; there the text is selected and copied by the browser. */
export async function copyText(text: string, root: ShadowRoot): Promise<void> {
  const clipboard = navigator.clipboard as Clipboard | undefined;
  if (clipboard) return clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  area.setAttribute("aria-hidden", "true");
  root.append(area);
  area.select();
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- the only way without a secure context
  const copied = document.execCommand("copy");
  area.remove();
  if (!copied) throw new Error("This browser does not copy from a page without TLS. Select the text and copy it.");
}
