import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildStale } from "../../../../scripts/prepare.js";
import { hasTerminals, placeWith, type Place } from "../../test/executable.ts";
import { failure, result, serveJobs, type ServedJob } from "../../test/jobs.ts";
import { json, startSmallQueen, type SmallQueen } from "../../test/queen.ts";

let queen: SmallQueen;
let place: Place;
beforeAll(async () => {
  await buildStale({ only: ["cli"] });
  queen = await startSmallQueen();
  place = placeWith(queen);
});
afterAll(async () => {
  await queen.close();
  place.remove();
});

const fingerprint = `SHA256:${"k".repeat(43)}`;
const host = { host: "attic", address: "10.0.0.7:22", user: "vince" };
const unknownKey = failure("ssh_host_key_unknown", {
  message: `The SSH key of attic is not known yet: ${fingerprint}.`,
  details: { ...host, fingerprint, key_type: "ssh-ed25519" },
});
const wantsPassword = (wrong: boolean) =>
  failure("ssh_auth_failed", {
    message: wrong ? "attic refused the password." : "attic accepted none of your keys.",
    details: { ...host, needs: "password", wrong, offered: ["password"] },
  });

/** A machine whose key is not known, and which wants this password. */
function machine(password?: string): ServedJob[] {
  return serveJobs(queen, (job) => {
    const ssh = (job.request["ssh"] ?? {}) as { accept_fingerprints?: string[]; password?: string };
    if (ssh.accept_fingerprints?.includes(fingerprint) !== true) job.tell(result("failed", { error: unknownKey }));
    else if (password !== undefined && ssh.password !== password)
      job.tell(result("failed", { error: wantsPassword(ssh.password !== undefined) }));
    else job.tell(result("succeeded"));
  });
}
const start = ["hive", "start", "attic"];

describe.skipIf(!hasTerminals)("on a terminal", () => {
  it("shows an unknown host key and how to compare it; once it is accepted, the job runs again", async () => {
    const jobs = machine();
    const run = place.start(start, { terminal: true });
    await run.shows("fingerprint: ");
    expect(run.text()).toContain(fingerprint);
    expect(run.text()).toContain("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub");
    run.child.stdin.write("yes\n");
    expect((await run.ended).exitCode).toBe(0);
    expect(jobs.map(({ request }) => request["ssh"])).toEqual([undefined, { accept_fingerprints: [fingerprint] }]);
  });

  it("a refused host key ends it, exit code 1, without a second attempt", async () => {
    for (const answer of ["no", `SHA256:${"x".repeat(43)}`]) {
      const jobs = machine();
      const run = place.start(start, { terminal: true });
      await run.shows("fingerprint: ");
      run.child.stdin.write(`${answer}\n`);
      const { exitCode, out } = await run.ended;
      expect(exitCode).toBe(1);
      expect(out).toContain("Nothing was done there.");
      expect(jobs).toHaveLength(1);
    }
  });

  it("a changed host key is never asked about: both fingerprints, and what to do", async () => {
    const old = `SHA256:${"o".repeat(43)}`;
    const jobs = serveJobs(queen, (job) => {
      const details = { ...host, fingerprint, key_type: "ssh-ed25519", known_fingerprint: old };
      const error = failure("ssh_host_key_changed", { details, suggestion: "Remove the old key with ssh-keygen -R." });
      job.tell(result("failed", { error }));
    });
    const { exitCode, out } = await place.rbee([...start, "--accept-fingerprint", fingerprint], { terminal: true });
    expect(exitCode).toBe(1);
    expect(out).toContain(`known   ${old}`);
    expect(out).toContain(`shown   ${fingerprint}`);
    expect(out).toContain("ssh-keygen -R");
    expect(out).not.toContain("Type yes");
    expect(jobs).toHaveLength(1);
  });

  it("asks for a password up to three times and never shows it", async () => {
    const jobs = machine("s3cret-right");
    const run = place.start([...start, "--accept-fingerprint", fingerprint], { terminal: true });
    await run.shows("Password of vince on attic: ");
    run.child.stdin.write("s3cret-wrong\n");
    await run.shows("not the right one.\r\nPassword of vince on attic: ");
    run.child.stdin.write("s3cret-right\n");
    const { exitCode, out } = await run.ended;
    expect(exitCode).toBe(0);
    expect(out).not.toContain("s3cret");
    expect(jobs.map(({ request }) => (request["ssh"] as { password?: string }).password)).toEqual([
      undefined,
      "s3cret-wrong",
      "s3cret-right",
    ]);
  });

  it("gives up after the third wrong password", async () => {
    const jobs = machine("right");
    const run = place.start([...start, "--accept-fingerprint", fingerprint], { terminal: true });
    for (let asked = 1; asked <= 3; asked++) {
      await run.shows("Password of", asked);
      run.child.stdin.write("wrong\n");
    }
    const { exitCode, out } = await run.ended;
    expect(exitCode).toBe(1);
    expect(out).toContain("refused the password");
    expect(jobs).toHaveLength(4);
  });

  it("Ctrl-C at a question is exit code 130", async () => {
    machine("right");
    const run = place.start([...start, "--accept-fingerprint", fingerprint], { terminal: true });
    await run.shows("Password of");
    run.child.stdin.write("\u0003");
    expect((await run.ended).exitCode).toBe(130);
  });
});

describe("without a terminal", () => {
  it("an unknown host key is one error that names the option with its fingerprint", async () => {
    const jobs = machine();
    const { exitCode, error } = await place.rbee(start);
    expect(exitCode).toBe(1);
    expect(error).toContain(`--accept-fingerprint ${fingerprint}`);
    expect(jobs).toHaveLength(1);
    expect((await place.rbee([...start, "--accept-fingerprint", fingerprint])).exitCode).toBe(0);
  });

  it("a password comes from stdin, as it is, and an error names that option", async () => {
    const jobs = machine(" pass word ");
    const accepted = [...start, "--accept-fingerprint", fingerprint];
    const { exitCode, error } = await place.rbee(accepted);
    expect(exitCode).toBe(1);
    expect(error).toContain("--password-stdin");
    const second = await place.rbee([...accepted, "--password-stdin"], { stdin: " pass word \n" });
    expect(second.exitCode).toBe(0);
    expect(jobs.at(-1)?.request["ssh"]).toMatchObject({ password: " pass word " });
  });

  it("adding a machine asks in the same way, since its connection is tested", async () => {
    queen.handlers.set("POST /v2/registry/beehives/add", json(503, { error: unknownKey }));
    const { exitCode, error } = await place.rbee(["hive", "add", "vince@10.0.0.7"]);
    expect(exitCode).toBe(1);
    expect(error).toContain(`--accept-fingerprint ${fingerprint}`);
  });

  it("options that make no sense are wrong usage", async () => {
    const wrong = await Promise.all([
      place.rbee([...start, "--accept-fingerprint", "MD5:1"]),
      place.rbee([...start, "--ask-password"]),
      place.rbee([...start, "--password-stdin", "--passphrase-stdin"]),
    ]);
    expect(wrong.map(({ exitCode }) => exitCode)).toEqual([2, 2, 2]);
  });
});
