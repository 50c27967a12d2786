// Parts that most functions never touch: their code is compiled at the first use. The generator puts the object
// `__flux_parts` in front of the bundle; each of its methods runs a part and returns its exports.
/* global __flux_parts */
const made = Object.create(null);
const part = (name) => made[name] ??= __flux_parts[name]();

export const lazy = {
  streams: () => part("streams"),
  pattern: () => part("pattern"),
};
