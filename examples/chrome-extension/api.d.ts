// Types of the HTTP contract. Made by `make client-types` from /openapi.json; do not edit.

export interface Batch {
  bets: (Bet | unknown)[];
}

/** The answer to batch-predict. */
export interface BatchAnswer {
  predictions: BatchItem[];
  errors: BatchError[];
  summary: BatchSummary;
}

/** One bet of a batch that could not be graded. */
export interface BatchError {
  index: number;
  bet: unknown;
  error: ErrorBody;
}

/** One graded bet of a batch; `bet` is what was sent. */
export interface BatchItem {
  index: number;
  bet: Record<string, unknown>;
  prediction: Prediction;
}

/** Counts and means over a batch; the means are null when nothing was graded. */
export interface BatchSummary {
  total: number;
  successful: number;
  failed: number;
  grade_distribution: Record<string, number>;
  average_expected_roi: number | null;
  average_win_probability: number | null;
}

/** One bet as it stands on the odds page. `odds` is American once validated, whatever the format sent. */
export interface Bet {
  /** Sport */
  sport: string;
  /** League or tour */
  league: string;
  /** Market */
  market: string;
  /** Sportsbook */
  institution_name: string;
  /** straight, parlay, … */
  bet_type?: string;
  /** How `odds` is written */
  odds_format?: "american" | "decimal" | "fractional";
  /** Price; American unless odds_format says otherwise: -110, 150, '+150', 'EVEN' */
  odds: number | string;
  /** Placed while the event is running */
  is_live?: boolean | "true" | "false";
  /** Closing line value in percent; null while unknown */
  clv_percentage?: number | null;
  /** Echoed in the answer */
  client_ref?: string | number | null;
  /** When the bet is placed (ISO 8601; UTC without an offset); default: now */
  placed_at?: string | null;
}

export interface Error {
  error: ErrorBody;
}

/** What stands under `error` in every error response. */
export interface ErrorBody {
  code: string;
  message: string;
  field: string | null;
  request_id: string | null;
  retryable: boolean;
}

/** `degraded`: it serves with a fault (`reload_error`), or has no model set. `alerts`: "on", or "off, because …". */
export interface Health {
  status: "healthy" | "degraded";
  models_loaded: boolean;
  model_timestamp: string | null;
  starter_models: boolean | null;
  model_source: string | null;
  history: string | null;
  reload_error: string | null;
  alerts: string;
  environment: string;
  version: string;
  deployment: string;
  uptime_seconds: number;
}

export interface LegacyBatchAnswer {
  predictions: (Prediction | Error)[];
  count: number;
}

/** The model set that serves, without what is long. `model_source`: import, MODEL_DIR or store (docs/models.md). */
export interface ModelInfo {
  metadata: Record<string, unknown>;
  feature_names: string[];
  feature_count: number;
  loaded_at: string | null;
  encoders: Record<string, unknown[]>;
  bundle_tag: string;
  sha256: string;
  starter_models: boolean;
  model_source: string;
  history_size: number;
  history: string;
}

/** The answer to one bet. Probabilities are fractions; ROI and stake are percent. */
export interface Prediction {
  win_probability: number;
  /** Expected profit in percent of the stake */
  expected_roi: number;
  /** Full Kelly stake, fraction of the bankroll */
  kelly_fraction: number;
  /** Fractional Kelly stake, percent of the bankroll, capped */
  recommended_stake_pct: number;
  confidence: number;
  bet_grade: "A" | "B" | "C" | "D" | "F";
  /** expected_roi is above 0 */
  profitable: boolean;
  /** UTC, ISO 8601 with Z */
  timestamp: string;
  model_version: string;
  /** The price's own probability, vig included */
  implied_probability: number;
  /** win_probability - implied_probability */
  edge: number;
  /** Settled bets behind the features */
  sample_size: number;
  warnings: string[];
  /** Seconds for which the answer may be reused */
  ttl_s: number;
  client_ref?: string | number;
  /** With explain=true: strongest contributions */
  reasons?: string[];
}

/** What a look at MODEL_DIR came to. */
export interface Reload {
  status: "success";
  message: string;
  changed: boolean;
  model_version: string;
}
