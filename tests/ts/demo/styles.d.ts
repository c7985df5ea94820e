// Components of the demo import their styles, which vitest leaves out.
declare module "*.css";
