// The book's colors: the table of livegrad.lab.plots, letter by letter (a test compares them).
export const COLORS = {
  relu: "#2f7fc1",
  sigmoid: "#c2571a",
  tanh: "#1b9173",
  mish: "#b5568f",
  silu: "#9a7b10",
  gelu: "#4b8fa8",
  linear: "#7d7d7d",
  forward: "#2f7fc1",
  backward: "#c2571a",
  train: "#2f7fc1",
  test: "#c2571a",
  good: "#1b9173",
  bad: "#cc4a4a",
  reference: "#7d7d7d",
};
export const CYCLE = ["#2f7fc1", "#c2571a", "#1b9173", "#b5568f", "#9a7b10", "#cc4a4a", "#7d7d7d"];
