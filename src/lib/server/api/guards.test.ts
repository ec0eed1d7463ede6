import { RbeeError } from "@rbee/contract";
import { isRedirect } from "@sveltejs/kit";
import { describe, expect, it } from "vitest";
import { guardPage } from "./page-guard.ts";
import { refuseCrossSite, type OriginFacts } from "./origin.ts";

const change: OriginFacts = {
  method: "POST",
  host: "192.168.1.10:7833",
  origin: "http://192.168.1.10:7833",
  fetchSite: "same-origin",
  hasSessionCookie: true,
  hasToken: false,
};
const passes = (facts: Partial<OriginFacts>) => {
  try {
    refuseCrossSite({ ...change, ...facts });
    return true;
  } catch (error) {
    return error instanceof RbeeError ? error.code : error;
  }
};

describe("the cross-site check", () => {
  it("lets a household's own page change things, also behind a proxy that ends TLS", () => {
    expect(passes({})).toBe(true);
    expect(passes({ origin: "https://192.168.1.10:7833" })).toBe(true);
  });

  it("refuses another site's page, an opaque origin, and another port of the same machine", () => {
    for (const origin of ["http://evil.example", "null", "http://192.168.1.10:8080", "http://192.168.1.10"])
      expect(passes({ origin })).toBe("forbidden");
  });

  it("refuses a cookie without an origin unless the browser says that the page is ours", () => {
    expect(passes({ origin: null, fetchSite: null })).toBe("forbidden");
    expect(passes({ origin: null, fetchSite: "cross-site" })).toBe("forbidden");
    expect(passes({ origin: null })).toBe(true);
  });

  it("does not concern readers, keys and programs without cookies", () => {
    expect(passes({ method: "GET", origin: "http://evil.example" })).toBe(true);
    expect(passes({ hasToken: true, origin: "http://localhost:3000" })).toBe(true);
    expect(passes({ hasSessionCookie: false, origin: null, fetchSite: null })).toBe(true);
  });
});

describe("the page guard", () => {
  const goes = (routeId: string | null, path: string, state: { signedIn?: boolean; setUp?: boolean } = {}) => {
    try {
      guardPage({ routeId, url: new URL(path, "http://x"), signedIn: false, setUp: true, ...state });
      return "through";
    } catch (thrown) {
      return isRedirect(thrown) ? thrown.location : thrown;
    }
  };

  it("sends strangers to sign-in, or to set-up before there is an administrator", () => {
    expect(goes("/(dashboard)/people", "/people")).toBe("/login?next=%2Fpeople");
    expect(goes("/(dashboard)/chat", "/chat?model=bee%2Btiny")).toBe("/login?next=%2Fchat%3Fmodel%3Dbee%252Btiny");
    expect(goes("/(dashboard)/apps", "/apps?/create")).toBe("/login?next=%2Fapps");
    expect(goes("/(dashboard)", "/", { setUp: false })).toBe("/setup");
    expect(goes("/(dashboard)/people", "/people", { signedIn: true })).toBe("through");
  });

  it("guards a page that nobody has thought of", () => {
    expect(goes("/brand-new", "/brand-new")).toBe("/login?next=%2Fbrand-new");
  });

  it("leaves the public pages and the API alone", () => {
    for (const [id, path] of [
      ["/login", "/login"],
      ["/setup", "/setup"],
      ["/invite/[code]", "/invite/abc"],
      ["/v1/keys", "/v1/keys"],
      [null, "/nowhere"],
    ] as const)
      expect(goes(id, path)).toBe("through");
  });
});
