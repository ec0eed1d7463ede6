import { openApiDocument, queenEndpoints } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { byTag, childrenOf, endpointsOf, limitsOf, typeOf, withoutNull, type ApiDocument } from "./document.ts";

const document = openApiDocument(queenEndpoints, { title: "rbee", version: "1", description: "" });
const endpoints = endpointsOf(document as unknown as ApiDocument);

const find = (id: string) => {
  const endpoint = endpoints.find((known) => known.id === id);
  if (endpoint === undefined) throw new Error(`no ${id}`);
  return endpoint;
};

describe("the API page", () => {
  it("shows every endpoint of the contract once, under its tag", () => {
    expect(endpoints.map(({ id }) => id).sort()).toEqual(Object.keys(queenEndpoints).sort());
    expect(byTag(endpoints).flatMap(([, group]) => group)).toHaveLength(endpoints.length);
  });

  it("says who may call and what comes back", () => {
    expect(find("createKey")).toMatchObject({ method: "POST", path: "/v1/keys", owner: "person" });
    expect(find("fleetStream").answers).toMatchObject([{ status: "200", kind: "stream" }]);
    expect(find("revokeKey").answers).toMatchObject([{ status: "204", kind: "none" }]);
    expect(find("metrics").answers).toMatchObject([{ kind: "text" }]);
  });

  it("finds an endpoint by a field inside its body", () => {
    expect(find("chat").haystack).toContain("temperature");
  });

  it("lists the fields of a body with what is required", () => {
    const { body } = find("chat");
    const fields = childrenOf(body ?? {});
    expect(fields.find(({ name }) => name === "model")?.required).toBe(true);
    expect(fields.find(({ name }) => name === "temperature")?.required).toBe(false);
    const messages = fields.find(({ name }) => name === "messages");
    expect(childrenOf(messages?.schema ?? {}).map(({ name }) => name)).toContain("role");
  });
});

describe("a schema in words", () => {
  it("separates null from the type", () => {
    const schema = { anyOf: [{ type: "number", minimum: 0 }, { type: "null" }], description: "d" };
    expect(withoutNull(schema)).toEqual({ schema: { type: "number", minimum: 0, description: "d" }, nullable: true });
  });

  it("names literals, alternatives and lists", () => {
    expect(typeOf({ enum: ["admin", "member"] })).toBe('"admin" | "member"');
    expect(typeOf({ type: "array", items: { type: "string" } })).toBe("array of string");
    expect(typeOf({ anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }] })).toBe(
      "string | array of string",
    );
  });

  it("leaves out the limits that only mean a whole number", () => {
    expect(limitsOf({ type: "integer", minimum: -9007199254740991, maximum: 9007199254740991 })).toEqual([]);
    expect(limitsOf({ type: "number", minimum: 0, maximum: 2 })).toEqual(["at least 0", "at most 2"]);
  });
});
