import type { Ask } from "./routing.js";

/** An installed model. Sizes in bytes. */
export interface ServerModel {
  name: string;
  size: number | null;
  loaded: boolean;
  memory: number | null;
  until: string | null;
}

/** A download. Sizes in bytes. */
export interface Pull {
  model: string;
  state: "running" | "done" | "cancelled" | "failed";
  status: string;
  completed: number | null;
  total: number | null;
  error: string | null;
}

/** A server whose models can be controlled. `error`: why its models are not listed. */
export interface ModelServer {
  backend_id: string;
  name: string;
  can: ("load" | "unload" | "keep_alive" | "pull" | "delete")[];
  models: ServerModel[];
  pulls: Pull[];
  error: string | null;
}

/** What `PageApi` offers for the models that servers hold. */
export interface ServerModelsApi {
  list(): Promise<ModelServer[]>;
  load(server: string, model: string): Promise<void>;
  unload(server: string, model: string): Promise<void>;
  /** Delete a model from the server's disk. */
  remove(server: string, model: string): Promise<void>;
  /** Start a download, which goes on without the page. */
  pull(server: string, model: string): Promise<void>;
  cancel(server: string, model: string): Promise<void>;
}

/** What both homes answer by commands of the same names. */
export const serverModelsApi = (ask: Ask): ServerModelsApi => {
  const act =
    (command: string) =>
    async (server: string, model: string): Promise<void> => {
      await ask(`server_models/${command}`, { backend_id: server, model });
    };
  return {
    list: async () => (await ask<{ servers: ModelServer[] }>("server_models")).servers,
    load: act("load"),
    unload: act("unload"),
    remove: act("delete"),
    pull: act("pull"),
    cancel: act("cancel"),
  };
};
