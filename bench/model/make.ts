import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { aligned, ggufHeader, tensorType, type MetadataValue, type Tensor } from "./gguf.ts";
import { controlTokens, makeVocabulary } from "./vocabulary.ts";
import { onesF32, q8Bytes, randomQ8, Xorshift } from "./weights.ts";

/** 109.5 million parameters: what a small laptop answers quickly enough for a bench, and large enough to be work. */
const shape = { width: 768, feedForward: 2048, layers: 12, heads: 12, context: 8192, vocabulary: 32_000 } as const;
const seed = 20_260_731;

export const benchModelFile = "rbee-bench-110m-q8_0.gguf";

const chatTemplate =
  "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

function metadata(): Map<string, MetadataValue> {
  const { tokens, merges } = makeVocabulary(shape.vocabulary);
  const types = tokens.map((_, id) => (id < controlTokens.length ? 3 : 1));
  const uint32 = (value: number): MetadataValue => ({ type: "uint32", value });
  const text = (value: string): MetadataValue => ({ type: "string", value });
  return new Map<string, MetadataValue>([
    ["general.architecture", text("llama")],
    ["general.name", text("rbee-bench-110m")],
    ["general.description", text("Random weights from a fixed seed, for measuring speed. Its answers mean nothing.")],
    ["general.file_type", uint32(7)],
    ["llama.vocab_size", uint32(shape.vocabulary)],
    ["llama.context_length", uint32(shape.context)],
    ["llama.embedding_length", uint32(shape.width)],
    ["llama.block_count", uint32(shape.layers)],
    ["llama.feed_forward_length", uint32(shape.feedForward)],
    ["llama.attention.head_count", uint32(shape.heads)],
    ["llama.attention.head_count_kv", uint32(shape.heads)],
    ["llama.attention.layer_norm_rms_epsilon", { type: "float32", value: 1e-5 }],
    ["llama.rope.dimension_count", uint32(shape.width / shape.heads)],
    ["tokenizer.ggml.model", text("gpt2")],
    ["tokenizer.ggml.pre", text("qwen2")],
    ["tokenizer.ggml.tokens", { type: "strings", value: tokens }],
    ["tokenizer.ggml.token_type", { type: "int32s", value: types }],
    ["tokenizer.ggml.merges", { type: "strings", value: merges }],
    ["tokenizer.ggml.bos_token_id", uint32(0)],
    ["tokenizer.ggml.eos_token_id", uint32(2)],
    ["tokenizer.ggml.padding_token_id", uint32(0)],
    ["tokenizer.ggml.add_bos_token", { type: "bool", value: false }],
    ["tokenizer.chat_template", text(chatTemplate)],
  ]);
}

function matrix(name: string, columns: number, rows: number): Tensor {
  return { name, shape: [columns, rows], type: tensorType.q8_0, bytes: q8Bytes(columns * rows) };
}

function norm(name: string): Tensor {
  return { name, shape: [shape.width], type: tensorType.f32, bytes: shape.width * 4 };
}

function tensors(): Tensor[] {
  const { width, feedForward } = shape;
  const blocks = Array.from({ length: shape.layers }, (_, layer) => {
    const name = (part: string) => `blk.${layer}.${part}.weight`;
    return [
      norm(name("attn_norm")),
      ...["attn_q", "attn_k", "attn_v", "attn_output"].map((part) => matrix(name(part), width, width)),
      norm(name("ffn_norm")),
      matrix(name("ffn_gate"), width, feedForward),
      matrix(name("ffn_up"), width, feedForward),
      matrix(name("ffn_down"), feedForward, width),
    ];
  });
  // Without an output matrix of its own, a model uses the embedding for that too.
  return [matrix("token_embd.weight", width, shape.vocabulary), ...blocks.flat(), norm("output_norm.weight")];
}

function dataOf(tensor: Tensor, random: Xorshift): Buffer {
  const values = tensor.shape.reduce((product, length) => product * length, 1);
  const rowLength = tensor.shape[0] ?? 1;
  return tensor.type === tensorType.f32 ? onesF32(values) : randomQ8(values, 1 / Math.sqrt(rowLength), random);
}

/**
 * Writes the bench's model into a folder, unless it is there, and gives its path. Its bytes are the same everywhere:
 * a llama of 110 million parameters in Q8_0 with random weights from a fixed seed, 117 MB, made in seconds.
 */
export async function makeModel(folder: string): Promise<string> {
  const path = join(folder, benchModelFile);
  if (existsSync(path)) return path;
  mkdirSync(folder, { recursive: true });
  const list = tensors();
  const random = new Xorshift(seed);
  // Another name until it is whole, so that an interrupted run leaves nothing that looks like a model.
  const unfinished = `${path}.${process.pid}.part`;
  const file = await open(unfinished, "w");
  try {
    await file.write(ggufHeader(metadata(), list));
    for (const tensor of list) {
      const data = dataOf(tensor, random);
      await file.write(data);
      await file.write(Buffer.alloc(aligned(data.length) - data.length));
    }
    await file.close();
    renameSync(unfinished, path);
  } finally {
    rmSync(unfinished, { force: true });
  }
  return path;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const folder = process.argv[2];
  if (folder === undefined) {
    console.error("usage: node bench/model/make.ts FOLDER");
    process.exit(2);
  }
  console.log(await makeModel(folder));
}
