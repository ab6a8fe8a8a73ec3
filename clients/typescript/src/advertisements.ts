// The advertised providers. All advertisements with the same id are one provider.

import { type ServiceRecord, SERVICE_TYPE } from "./record.ts";

/** An advertised provider: its best advertisement, and all advertisements with its id. An impostor may have sent some of them. */
export interface Advertisement {
  readonly record: ServiceRecord;
  readonly records: readonly ServiceRecord[];
}

/** Advertisements by service type and instance name. */
export class Advertisements {
  readonly #records = new Map<string, ServiceRecord>();
  /** The host that advertised each id first. */
  readonly #hosts = new Map<string, string>();

  get(key: string): ServiceRecord | undefined {
    return this.#records.get(key);
  }

  /** Stores an advertisement; returns the ids of the providers that changed. */
  put(key: string, record: ServiceRecord): string[] {
    const former = this.#records.get(key);
    if (former !== undefined && same(former, record)) return [];
    this.#records.set(key, record);
    if (!this.#hosts.has(record.id)) this.#hosts.set(record.id, record.host);
    return former === undefined || former.id === record.id ? [record.id] : [this.#forget(former.id), record.id];
  }

  /** Removes an advertisement; returns the id of its provider. */
  remove(key: string): string | undefined {
    const former = this.#records.get(key);
    this.#records.delete(key);
    return former === undefined ? undefined : this.#forget(former.id);
  }

  /** The provider with an id. Of several hosts, the first to advertise the id is preferred; of one host's records, this project's type. */
  find(id: string): Advertisement | undefined {
    const rank = (record: ServiceRecord) =>
      (record.host === this.#hosts.get(id) ? 0 : 2) + (record.serviceType === SERVICE_TYPE ? 0 : 1);
    const records = [...this.#records.values()]
      .filter((record) => record.id === id)
      .sort((one, other) => rank(one) - rank(other));
    return records[0] === undefined ? undefined : { record: records[0], records };
  }

  /** All providers, sorted by preference. */
  all(): Advertisement[] {
    const ids = new Set([...this.#records.values()].map(({ id }) => id));
    const found = [...ids].map((id) => this.find(id)).filter((advertisement) => advertisement !== undefined);
    return found.sort(
      ({ record: one }, { record: other }) => one.priority - other.priority || (one.name < other.name ? -1 : 1),
    );
  }

  #forget(id: string): string {
    if (![...this.#records.values()].some((record) => record.id === id)) this.#hosts.delete(id);
    return id;
  }
}

/** Whether two advertisements have the same contents. */
function same(one: ServiceRecord, other: ServiceRecord): boolean {
  const told = (record: ServiceRecord) =>
    JSON.stringify([record, [...record.capabilities], record.ephemeralKey ?? null], (_, value: unknown) =>
      value instanceof Set ? [...value] : value,
    );
  return told(one) === told(other);
}
