import { basename } from "node:path";
import type { CatalogueModel, HiveModel, ModelFile } from "@rbee/contract";
import type { BrokenModel, LocalModel } from "./catalogue.ts";

function filesOf(model: LocalModel | BrokenModel): ModelFile[] {
  const recorded = new Map(model.record?.files.map((file) => [file.path, file]));
  return model.files.map(({ path, sizeBytes }) => {
    const record = recorded.get(path);
    // A hash of a file that has another size by now is the hash of another file.
    return {
      name: basename(path),
      size_bytes: sizeBytes,
      sha256: record?.sizeBytes === sizeBytes ? record.sha256 : null,
    };
  });
}

const isRemovable = (record: LocalModel["record"]) => record?.provider === "hub" || record?.provider === "hive";

/** A model as capabilities tell it: what changes with every use is not in it. A name that the header lacks is the id. */
export function describeModel(model: LocalModel): HiveModel {
  const { id, sizeBytes, header, record } = model;
  return {
    id,
    name: header.name ?? id,
    size_bytes: sizeBytes,
    quantization: header.quantization,
    architecture: header.architecture,
    parameters: header.parameters,
    context_length: header.contextLength,
    has_chat_template: header.hasChatTemplate,
    reference: record?.reference ?? null,
    revision: record?.revision ?? null,
    aliases: [...(record?.aliases ?? [])],
    pinned: record?.pinned ?? false,
    removable: isRemovable(record),
    files: filesOf(model),
    memory: header.memory,
  };
}

/** A model as the catalogue lists it, one that cannot be started included. */
export function describeEntry(model: LocalModel | BrokenModel): CatalogueModel {
  const { record } = model;
  const broken = "broken" in model;
  const facts = broken
    ? {
        id: model.id,
        name: model.id,
        size_bytes: model.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
        quantization: null,
        architecture: null,
        parameters: null,
        context_length: null,
        has_chat_template: false,
        reference: record?.reference ?? null,
        revision: record?.revision ?? null,
        aliases: [...(record?.aliases ?? [])],
        pinned: record?.pinned ?? false,
        removable: isRemovable(record),
        files: filesOf(model),
        memory: null,
      }
    : describeModel(model);
  return {
    ...facts,
    state: broken ? model.state : "ready",
    problem: broken ? model.broken : null,
    provider: record?.provider ?? "folder",
    downloaded_at: record?.downloadedAt ?? null,
    last_used_at: record?.lastUsedAt ?? null,
  };
}
