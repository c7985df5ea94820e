// Components of the demo import their styles, which vitest leaves out.
declare module "*.css";

// Its tour shows some of its sources.
declare module "*?raw" {
  const text: string;
  export default text;
}
