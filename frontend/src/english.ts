import { config_panel as words } from "../../custom_components/zeroconf_ai/translations/en.json";
import type { Texts } from "./texts.js";

/** The texts without Home Assistant, whose own pages format them; here each `{name}` is replaced. */
export const texts: Texts = (key, values = {}) => {
  const [group, name] = key.split(".") as [keyof typeof words, string];
  const text = (words[group] as Record<string, string> | undefined)?.[name] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, value: string) => String(values[value] ?? whole));
};
