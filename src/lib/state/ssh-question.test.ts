import type { Job } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { questionOf, questionOfJob, withAnswer } from "./ssh-question.ts";

const fingerprint = `SHA256:${"a".repeat(43)}`;
const place = { host: "gaming-pc", address: "192.168.1.20:22", user: "vince" };
const error = (code: string, details: Record<string, unknown>) => ({ code, message: "It failed.", details });
const unknownKey = error("ssh_host_key_unknown", { ...place, fingerprint, key_type: "ssh-ed25519" });
const job = (over: Partial<Job>) => ({ state: "failed", error: null, result: null, ...over }) as Job;

describe("what a machine asks a person", () => {
  it("is to compare a key that is not known", () => {
    expect(questionOf(unknownKey)).toMatchObject({ kind: "host_key", host: "gaming-pc", fingerprint });
  });

  it("is never to accept a key that has changed", () => {
    const changed = error("ssh_host_key_changed", { ...place, fingerprint, known_fingerprints: ["SHA256:b", 3] });
    expect(questionOf(changed)).toMatchObject({
      kind: "changed",
      entry: "192.168.1.20",
      known: ["SHA256:b"],
      revoked: false,
    });
    const elsewhere = { ...changed, details: { ...changed.details, address: "127.0.0.1:2222" } };
    expect(questionOf(elsewhere)).toMatchObject({ entry: "[127.0.0.1]:2222" });
  });

  it("is the one secret that the host wants, and whether the last one was wrong", () => {
    expect(questionOf(error("ssh_auth_failed", { ...place, needs: "password", wrong: true }))).toMatchObject({
      kind: "secret",
      secret: "password",
      wrong: true,
    });
    expect(
      questionOf(error("ssh_auth_failed", { ...place, needs: "passphrase", key: "~/.ssh/id", wrong: false })),
    ).toMatchObject({ secret: "passphrase", key: "~/.ssh/id" });
  });

  it("is still a secret when the one that was wrong is a word of the error itself", () => {
    const told = (details: Record<string, unknown>) => questionOf(error("ssh_auth_failed", { ...place, ...details }));
    expect(told({ needs: "[redacted]", wrong: true })).toMatchObject({ secret: "password", wrong: true });
    expect(told({ needs: "[redacted]", key: "~/.ssh/id", wrong: true })).toMatchObject({ secret: "passphrase" });
    expect(told({ needs: "password", "[redacted]": true })).toMatchObject({ secret: "password", wrong: true });
  });

  it("is nothing when only a new key on that machine would help, or it was not reached", () => {
    expect(questionOf(error("ssh_auth_failed", { ...place, needs: "key" }))).toBeNull();
    expect(questionOf(error("ssh_timeout", place))).toBeNull();
    expect(questionOf(null)).toBeNull();
  });

  it("is found in the outcome of one of several machines", () => {
    const result = {
      outcomes: [
        { item: "nas", status: "succeeded" },
        { item: "pc", status: "failed", error: unknownKey },
      ],
    };
    const summary = error("ssh_host_key_unknown", { failed: ["pc"] }) as unknown as NonNullable<Job["error"]>;
    expect(questionOfJob(job({ error: summary, result }))).toMatchObject({ kind: "host_key", fingerprint });
  });

  it("is nothing while the job runs or when it went well", () => {
    const asked = unknownKey as unknown as NonNullable<Job["error"]>;
    expect(questionOfJob(job({ state: "running", error: asked }))).toBeNull();
    expect(questionOfJob(job({ state: "failed", error: asked }))).not.toBeNull();
  });

  it("is answered once: fingerprints gather, a secret replaces the one before", () => {
    const first = withAnswer({}, { accept_fingerprints: [fingerprint] });
    const second = withAnswer(first, { password: "one" });
    expect(withAnswer(second, { password: "two", accept_fingerprints: [fingerprint, "SHA256:b"] })).toEqual({
      password: "two",
      accept_fingerprints: [fingerprint, "SHA256:b"],
    });
    expect(withAnswer({}, {})).toEqual({});
  });
});
