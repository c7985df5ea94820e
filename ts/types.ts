/**
 * The store as its users see it: options, queries, receipts, views.
 *
 * Types only. What a registered definition says about its commands, events and rows is carried by the
 * three lists of `Store<As, Ds, Ps>`, so that using a definition that is not registered does not compile.
 */
export type { IndexValue } from "./core/rows.js";
export type { ExpectedVersion } from "./core/writing.js";
export type {
  Abortable,
  EngineModule,
  Problem,
  StorageOptions,
  StoreOptions,
  WasmFile,
  WasmFiles,
} from "./types/opening.js";
export type {
  Clock,
  CommitNotice,
  EventOfQuery,
  EventReader,
  FirstFound,
  Loaded,
  LoadOptions,
  NotedCommit,
  ReadQuery,
  ReplayOptions,
  ReplayStep,
  StreamsOptions,
  SubscribeQuery,
} from "./types/reading.js";
export type {
  FoldOptions,
  ProjectOptions,
  Rebuild,
  RebuildOptions,
  RebuildPhase,
  RebuildProgress,
  RebuildStart,
} from "./types/rebuilding.js";
export type { Refusal, RefusalReason, Refusals } from "./types/refusals.js";
export type { AnyStore, Store } from "./types/store.js";
export type { SyncControl, SyncOptions, SyncStatus } from "./types/syncing.js";
export type { ImportReport, ProjectionStats, StoreStats, VerifyReport } from "./types/upkeep.js";
export type { Entry, ListQuery, Live, LiveState, ProjectedView, View, ViewOf } from "./types/views.js";
export type {
  AppendOptions,
  AppendReceipt,
  CommandOf,
  CommitOptions,
  CommitOutcome,
  CommitReceipt,
  Confirmable,
  DecisionReceipt,
  ExecuteOptions,
  IngestBatch,
  IngestOptions,
  IngestProgress,
  IngestRefusal,
  MultiReceipt,
  OutcomesOf,
  Receipt,
  StreamAppend,
  StreamOutcome,
} from "./types/writing.js";
