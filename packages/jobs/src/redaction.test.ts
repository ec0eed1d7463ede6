import { describe, expect, it } from "vitest";
import { Redactor } from "./redaction.ts";

const token = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmE";
const clean = (text: string) => new Redactor().text(text);

describe("what is taken out of any text", () => {
  it.each([
    [`Authorization: Bearer ${token} was refused`, "Authorization: Bearer [redacted] was refused"],
    [`authorization: Basic dmluY2U6c2VjcmV0`, "authorization: Basic [redacted]"],
    [`{"authorization":"Bearer ${token}","a":1}`, '{"authorization":"Bearer [redacted]","a":1}'],
    [`Authorization: Digest username="v", response="abc"\nHost: x`, "Authorization: [redacted]\nHost: x"],
    [`curl -H 'authorization: bearer abcdefghijkl' -o f`, "curl -H 'authorization: bearer [redacted]' -o f"],
    [`key rbee_Ab3dEf6hIj9l is used`, "key [redacted] is used"],
    [`HF_TOKEN=hf_abcdefghijklmnopqrst run`, "HF_TOKEN=[redacted] run"],
    [`GET /x?token=${token}&a=1`, "GET /x?token=[redacted]&a=1"],
    [`{"hive_token": "${token}", "port": 7835}`, '{"hive_token": "[redacted]", "port": 7835}'],
    [`{\\"hive_token\\":\\"${token}\\"}`, `{\\"hive_token\\":\\"[redacted]\\"}`],
    [`rbee-hive --queen http://q --join-token ${token} -v`, "rbee-hive --queen http://q --join-token [redacted] -v"],
    [`password=hunter2 user=vince`, "password=[redacted] user=vince"],
    [`{"password":"with space"}`, '{"password":[redacted]}'],
    [`git clone https://vince:pw@host/repo.git`, "git clone https://[redacted]@host/repo.git"],
    [`git clone https://ghp_token@host/repo.git`, "git clone https://[redacted]@host/repo.git"],
    [`ssh://vince:pw@host:22`, "ssh://vince:[redacted]@host:22"],
    [`https://cdn/x?X-Amz-Signature=abc123&b=1`, "https://cdn/x?X-Amz-Signature=[redacted]&b=1"],
    [`Set-Cookie: session=abc; Path=/`, "Set-Cookie: [redacted]"],
    [`a -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- b`, "a [redacted private key] b"],
    [`cut -----BEGIN PRIVATE KEY-----\nMIIE\nmore`, "cut [redacted private key]"],
  ])("%s", (text, expected) => {
    expect(clean(text)).toBe(expected);
  });
});

describe("what stays readable", () => {
  it.each([
    "SHA256:Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmE is the key's fingerprint",
    "Permission denied (publickey,password).",
    "rbee_cached_prompt_tokens_total 12",
    "max_tokens=512, prompt_tokens: 12",
    "ssh://vince@gaming-pc:22 and mail to a@b.org",
    "http://127.0.0.1:7833/v1/chat?a=b@c",
    "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
  ])("%s", (text) => {
    expect(clean(text)).toBe(text);
  });
});

describe("a registered secret", () => {
  it("goes in every shape in which it is passed on", () => {
    const secret = `it's "a" pass/word`;
    const redactor = new Redactor();
    redactor.register(secret);
    const shapes = [
      secret,
      JSON.stringify(secret).slice(1, -1),
      encodeURIComponent(secret),
      Buffer.from(secret).toString("base64"),
      secret.replaceAll("'", String.raw`'\''`),
    ];
    for (const shape of shapes) expect(redactor.text(`a ${shape} b`)).toBe("a [redacted] b");
  });

  it("goes line by line when it has several, and is known to jobs when the process knows it", () => {
    const shared = new Redactor();
    const job = new Redactor(shared);
    shared.register("first line of the key\nsecond line of the key");
    expect(job.text("> second line of the key")).toBe("> [redacted]");
  });

  it("that is too short to be one is left alone, so that the text stays readable", () => {
    const redactor = new Redactor();
    for (const short of ["", "a", " ", "the"]) redactor.register(short);
    expect(redactor.text("the cat")).toBe("the cat");
  });
});

describe("data", () => {
  it("becomes JSON without secrets, whatever it holds", () => {
    const loop: Record<string, unknown> = { name: "loop" };
    loop["self"] = loop;
    const value = new Redactor().value({
      hiveToken: "x",
      api_key: "y",
      "Private-Key": "z",
      max_tokens: 5,
      token: null,
      nested: [{ passphrase: "p", ok: true }],
      map: new Map([["password", "q"]]),
      loop,
      bytes: Buffer.from("secret"),
      at: new Date(0),
      big: 5n,
      none: undefined,
      not: Number.NaN,
      error: Object.assign(new Error("password=1\nat x"), { code: "ENOENT" }),
      run: () => 1,
    });
    expect(value).toEqual({
      hiveToken: "[redacted]",
      api_key: "[redacted]",
      "Private-Key": "[redacted]",
      max_tokens: 5,
      token: null,
      nested: [{ passphrase: "[redacted]", ok: true }],
      map: { password: "[redacted]" },
      loop: { name: "loop", self: "[circular]" },
      bytes: "[6 bytes]",
      at: "1970-01-01T00:00:00.000Z",
      big: "5",
      not: null,
      error: { message: "password=[redacted]", code: "ENOENT" },
    });
  });

  it("that cannot even be read does no harm", () => {
    const broken = {
      get field(): never {
        throw new Error("no");
      },
    };
    expect(new Redactor().record(broken)).toEqual({ value: "[unreadable]" });
  });

  it("is bounded: long texts are cut, deep ones end", () => {
    const redactor = new Redactor();
    expect(redactor.text("x".repeat(1_000_000)).length).toBeLessThan(17_000);
    let deep: unknown = 1;
    for (let i = 0; i < 100; i++) deep = { deep };
    expect(JSON.stringify(redactor.value(deep))).toContain("[too deep]");
  });

  it.each([
    "a-".repeat(8_000),
    "a".repeat(16_000),
    "://".repeat(5_000),
    '"'.repeat(16_000),
    "-----BEGIN ".repeat(1_500),
  ])("takes no time on text made to be slow: %.12s…", (text) => {
    const start = performance.now();
    clean(text);
    expect(performance.now() - start).toBeLessThan(500);
  });
});

it("keeps the names of fields, even when a password reads the same", () => {
  const redactor = new Redactor();
  redactor.register("wrong");
  expect(redactor.value({ wrong: true, message: "The password wrong is refused." })).toEqual({
    wrong: true,
    message: "The password [redacted] is refused.",
  });
});
