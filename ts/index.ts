/**
 * `everfold`: event sourcing in the browser. This list is the whole public API of the main entry.
 */

export type {
  Aggregate,
  AggregateDefinition,
  AggregateRef,
  AnyAggregate,
  EventOf,
  StateOf,
  Upcaster,
} from "./aggregate.js";
export { defineAggregate } from "./aggregate.js";
export type {
  AnyDecision,
  Decision,
  DecisionDefinition,
  EventListsOf,
  ReadsOf,
  StatesOf,
} from "./decision.js";
export { defineDecision } from "./decision.js";
export type { AnyEverfoldError, ErrorDetails, EventPlace, EverfoldErrorCode } from "./errors.js";
export { EverfoldError, isEverfoldError } from "./errors.js";
export type {
  AnyEvent,
  Event,
  EventOfType,
  EventWithData,
  EventWithoutData,
  Recorded,
  RecordedEvent,
  StreamEvent,
} from "./event.js";
export type { JsonPatch, JsonPatchOperation } from "./json-patch.js";
export { deleteStore, openStore } from "./open.js";
export type {
  AnyProjection,
  IndexFunction,
  IndexOf,
  ProjectedEvent,
  Projection,
  ProjectionDefinition,
  RowOf,
} from "./projection.js";
export { defineProjection } from "./projection.js";
export { rustAggregate, rustProjection } from "./rust.js";
export type { StandardIssue, StandardResult, StandardSchema } from "./standard-schema.js";
export type {
  Abortable,
  AnyStore,
  AppendOptions,
  AppendReceipt,
  Clock,
  CommandOf,
  CommitNotice,
  CommitOptions,
  CommitOutcome,
  CommitReceipt,
  Confirmable,
  DecisionReceipt,
  EngineModule,
  Entry,
  EventOfQuery,
  EventReader,
  ExecuteOptions,
  ExpectedVersion,
  FirstFound,
  FoldOptions,
  ImportReport,
  IndexValue,
  IngestBatch,
  IngestOptions,
  IngestProgress,
  IngestRefusal,
  ListQuery,
  Live,
  LiveState,
  Loaded,
  LoadOptions,
  MultiReceipt,
  NotedCommit,
  OutcomesOf,
  Problem,
  ProjectedView,
  ProjectionStats,
  ProjectOptions,
  ReadQuery,
  Rebuild,
  RebuildOptions,
  RebuildPhase,
  RebuildProgress,
  RebuildStart,
  Receipt,
  Refusal,
  RefusalReason,
  Refusals,
  ReplayOptions,
  ReplayStep,
  StorageOptions,
  Store,
  StoreOptions,
  StoreStats,
  StreamAppend,
  StreamOutcome,
  StreamsOptions,
  SubscribeQuery,
  SyncControl,
  SyncOptions,
  SyncStatus,
  VerifyReport,
  View,
  ViewOf,
  WasmFile,
  WasmFiles,
} from "./types.js";
