import { expect, it } from "vitest";
import { Repetition } from "./repetition.ts";

it("guesses what followed the last tokens when they stood before", () => {
  const text = new Repetition([1, 2, 3, 4, 5, 9, 1, 2, 3]);
  expect(text.guess(3)).toEqual([4, 5, 9]);
});

it("guesses nothing when the last tokens are new, or too few", () => {
  expect(new Repetition([1, 2, 3, 4, 1, 2, 9]).guess(3)).toEqual([]);
  expect(new Repetition([1, 1]).guess(3)).toEqual([]);
  expect(new Repetition([]).guess(3)).toEqual([]);
});

it("takes the newest of several places", () => {
  const text = new Repetition([1, 2, 3, 7, 1, 2, 3, 8]);
  for (const token of [1, 2, 3]) text.push(token);
  expect(text.guess(1)).toEqual([8]);
});

it("goes on in a repetition that reaches the end", () => {
  expect(new Repetition([5, 6, 7, 5, 6, 7]).guess(7)).toEqual([5, 6, 7, 5, 6, 7, 5]);
  expect(new Repetition([4, 4, 4, 4]).guess(3)).toEqual([4, 4, 4]);
});

it("is not misled by other tokens that share a hash", () => {
  const factor = 0x9e3779b1;
  const twin = [1, 3, 3 - factor];
  expect(new Repetition([1, 2, 3, 4, 1, 2, 3]).guess(1)).toEqual([4]);
  expect(new Repetition([1, 2, 3, 4, ...twin]).guess(1)).toEqual([]);
  // The twin has taken the place of the first three, which are not found any more then.
  expect(new Repetition([1, 2, 3, 4, ...twin, 5, 1, 2, 3]).guess(1)).toEqual([]);
});
