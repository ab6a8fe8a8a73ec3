import type { Ask } from "./routing.js";

/** A client that waits for the owner's approval. Times are seconds. */
export interface WaitingClient {
  id: string;
  /** What it calls itself. */
  name: string;
  address: string;
  /** Six digits that its screen shows too. */
  check: string;
  asked: number;
  seconds_left: number;
}

/** Client certificates of the home. */
export interface Enrolment {
  offered: boolean;
  mode?: "none" | "token" | "mtls";
  /** SHA-256 of the server's certificate, hexadecimal. */
  pin?: string;
  /** Host and port for clients. */
  address?: string;
  code?: { code: string; seconds_left: number; tries_left: number } | null;
  pending?: WaitingClient[];
}

/** What `PageApi` offers for client certificates. Each method resolves to the state after it. */
export interface ClientsApi {
  state(): Promise<Enrolment>;
  makeCode(name: string): Promise<Enrolment>;
  /** A code for the client of a key, which enrols again. */
  makeCodeFor(keyId: string): Promise<Enrolment>;
  closeCode(): Promise<Enrolment>;
  /** Replace the certificate authority: all client certificates end. */
  replaceAuthority(): Promise<Enrolment>;
  approve(id: string): Promise<Enrolment>;
  refuse(id: string): Promise<Enrolment>;
}

/** What both homes answer by commands of the same names. */
export const clientsApi = (ask: Ask): ClientsApi => ({
  state: () => ask("clients"),
  makeCode: (name) => ask("clients/code", name ? { name } : {}),
  makeCodeFor: (keyId) => ask("clients/code", { key_id: keyId }),
  closeCode: () => ask("clients/close_code"),
  replaceAuthority: () => ask("clients/replace_authority"),
  approve: (id) => ask("clients/approve", { request_id: id }),
  refuse: (id) => ask("clients/refuse", { request_id: id }),
});
