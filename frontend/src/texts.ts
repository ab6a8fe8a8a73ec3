/** Texts of the page by key, as `config_panel` of the integration's translations has them. */
export type Texts = (key: string, values?: Record<string, string | number>) => string;
