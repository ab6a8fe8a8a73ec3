// Trust on first use: the confirmed identity of each provider (docs/protocol.md, section 1). The Python package uses the same file format.

import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

import { type ServiceRecord, namesPublicHost } from "./record.ts";
import { mapping, textOf } from "./text.ts";

/** How an advertisement compares with the pins.
 *
 * `new`: neither its id nor its name is pinned. `known`: a pinned id with the pinned certificate, or without a certificate at the
 * pinned address. `moved`: a pinned id without a certificate at another address. `changed`: a pinned name with another id, or a
 * pinned id with another certificate; unusable until confirmed again.
 */
export type Trust = "new" | "known" | "moved" | "changed";

/** The confirmed identity of one provider. */
export interface Pin {
  readonly id: string;
  readonly name: string;
  readonly fingerprint: string | undefined;
  readonly baseURL: string | undefined;
}

export class TrustStore {
  #pins: Map<string, Pin>;
  readonly #file: string | undefined;
  #saving: Promise<void> = Promise.resolve();

  private constructor(file: string | undefined, pins: Map<string, Pin>) {
    this.#file = file;
    this.#pins = pins;
  }

  /** Reads `file` if it exists. An unreadable file is renamed, not overwritten. Without `file`, pins are lost when the program ends. */
  static async open(file?: string): Promise<TrustStore> {
    if (file === undefined) return new TrustStore(undefined, new Map());
    let text: string;
    try {
      text = await readFile(file, "utf8");
    } catch (error) {
      if (mapping(error).code === "ENOENT") return new TrustStore(file, new Map());
      throw error;
    }
    const pins = parse(text);
    if (pins === undefined) await rename(file, `${file}.unreadable`);
    return new TrustStore(file, pins ?? new Map<string, Pin>());
  }

  judge(record: ServiceRecord): Trust {
    const pin = this.#pins.get(record.id);
    if (pin === undefined) return [...this.#pins.values()].some(({ name }) => name === record.name) ? "changed" : "new";
    if (pin.fingerprint !== undefined) return pin.fingerprint === record.fingerprint ? "known" : "changed";
    return pin.baseURL !== undefined && record.baseURLs().has(pin.baseURL) ? "known" : "moved";
  }

  pin(id: string): Pin | undefined {
    return this.#pins.get(id);
  }

  /** The fingerprint of the certificate that was confirmed at a base URL of the local network; undefined without one.
   *
   * Public names have certificates of an authority, which are renewed without a hand-over.
   */
  certificateAt(baseURL: string): string | undefined {
    if (namesPublicHost(baseURL)) return undefined;
    return [...this.#pins.values()].find((pin) => pin.baseURL === baseURL)?.fingerprint;
  }

  /** Pins the identity in `record` at one of its addresses, and removes an older pin of the same name. */
  async confirm(record: ServiceRecord, baseURL: string): Promise<void> {
    const { id, name, fingerprint } = record;
    this.#pins = new Map([...this.#pins].filter(([, pin]) => pin.name !== name));
    this.#pins.set(id, { id, name, fingerprint, baseURL });
    this.#saving = this.#saving.catch(() => undefined).then(() => this.#save());
    await this.#saving;
  }

  async #save(): Promise<void> {
    if (this.#file === undefined) return;
    const pins = [...this.#pins.values()].map(({ id, name, fingerprint = null, baseURL = null }) => {
      return { id, name, fingerprint, base_url: baseURL };
    });
    await mkdir(dirname(this.#file), { recursive: true });
    await writeFile(`${this.#file}.new`, JSON.stringify(pins, null, 2));
    await rename(`${this.#file}.new`, this.#file);
  }
}

function parse(text: string): Map<string, Pin> | undefined {
  let listed: unknown;
  try {
    listed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(listed)) return undefined;
  const pins = new Map<string, Pin>();
  for (const item of listed.map(mapping)) {
    const [id, name] = [textOf(item.id), textOf(item.name)];
    if (!id || !name) return undefined;
    pins.set(id, {
      id,
      name,
      fingerprint: textOf(item.fingerprint) || undefined,
      baseURL: textOf(item.base_url) || undefined,
    });
  }
  return pins;
}
