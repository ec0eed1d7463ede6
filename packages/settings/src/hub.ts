import * as z from "zod";
import { optionalText, setting } from "./define.ts";

/** The hub of models. The queen searches it, and hives download from it. */
export const hubSettings = {
  hubUrl: setting({
    env: "HF_ENDPOINT",
    toml: "models.hub_url",
    schema: z
      .url({ protocol: /^https?$/u, error: "must be an http or https URL" })
      .transform((url) => url.replace(/\/+$/u, "")),
    fallback: () => "https://huggingface.co",
    description: "Hub that models are searched on and downloaded from.",
  }),
  hubToken: setting({
    env: "HF_TOKEN",
    toml: "models.hub_token",
    schema: optionalText,
    fallback: () => undefined,
    secret: true,
    description: "Token of the hub, for models that are private or that one has to ask for.",
  }),
};
