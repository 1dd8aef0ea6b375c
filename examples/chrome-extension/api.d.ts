// Types of the HTTP contract. Made by `make client-types` from /openapi.json; do not edit.

export interface Batch {
  /** Adds `reasons`: the strongest contributions, in words */
  explain?: boolean;
  /** Raises no alert and leaves no trace in the prediction log */
  dry_run?: boolean;
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

/** One bet as it stands on the odds page. */
export interface Bet {
  /** Sport */
  sport: string;
  /** League or tour */
  league?: string | null;
  /** Market */
  market: string;
  /** Sportsbook */
  institution_name: string;
  /** straight, parlay, … */
  bet_type?: string | null;
  /** How every price of the bet is written */
  odds_format?: "american" | "decimal" | "fractional" | null | string;
  /** Price; American unless odds_format says otherwise: -110, 150, '+150', 'EVEN' */
  odds: number | string;
  /** Placed while the event is running */
  is_live?: boolean | "true" | "false" | null | string;
  /** Closing line value in percent; null while unknown */
  clv_percentage?: number | null | string;
  /** When the bet is placed (ISO 8601; UTC without an offset); default: now */
  placed_at?: string | null;
  /** The game or match */
  event?: string | null;
  /** What is bet on */
  selection?: string | null;
  /** Handicap or total of the selection */
  line?: number | null | string;
  /** When the event starts (ISO 8601; UTC without an offset) */
  starts_at?: string | null;
  /** Where the bet can be placed (https) */
  url?: string | null;
  /** All sides of this market at this sportsbook, the bet's own among them */
  market_prices?: Price[] | null | string;
  /** All sides of the same market at other sportsbooks */
  reference_prices?: BookPrices[] | null | string;
  /** Echoed in the answer */
  client_ref?: string | number | null;
  /** The bets that a parlay is made of */
  legs?: Leg[] | null | string;
  /** Adds `reasons`: the strongest contributions, in words */
  explain?: boolean;
  /** Raises no alert and leaves no trace in the prediction log */
  dry_run?: boolean;
}

/** The sides of the bet's market at another sportsbook. */
export interface BookPrices {
  /** Sportsbook */
  book: string;
  /** All sides; a book with one side only is left out with a warning */
  prices: Price[];
  /** When the prices were seen (ISO 8601; UTC without an offset) */
  at?: string | null;
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

/** A bet of a legacy batch that could not be graded. */
export interface FailedBet {
  error: ErrorBody;
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

/** What can be bet on by itself, or as a leg of a parlay. Prices are American once validated. */
export interface Leg {
  /** Sport */
  sport: string;
  /** League or tour; absent or empty where there is none */
  league?: string | null;
  /** Market */
  market: string;
  /** Sportsbook */
  institution_name: string;
  /** straight, parlay, … */
  bet_type?: string | null;
  /** How every price of the bet is written */
  odds_format?: "american" | "decimal" | "fractional" | null | string;
  /** Price; American unless odds_format says otherwise: -110, 150, '+150', 'EVEN' */
  odds: number | string;
  /** Placed while the event is running */
  is_live?: boolean | "true" | "false" | null | string;
  /** Closing line value in percent; null while unknown */
  clv_percentage?: number | null | string;
  /** When the bet is placed (ISO 8601; UTC without an offset); default: now */
  placed_at?: string | null;
  /** The game or match */
  event?: string | null;
  /** What is bet on */
  selection?: string | null;
  /** Handicap or total of the selection */
  line?: number | null | string;
  /** When the event starts (ISO 8601; UTC without an offset) */
  starts_at?: string | null;
  /** Where the bet can be placed (https) */
  url?: string | null;
  /** All sides of this market at this sportsbook, the bet's own among them */
  market_prices?: Price[] | null | string;
  /** All sides of the same market at other sportsbooks */
  reference_prices?: BookPrices[] | null | string;
}

/** Predictions or errors in the order of the bets. */
export interface LegacyBatchAnswer {
  predictions: (Prediction | FailedBet)[];
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
  /** What the win model alone says */
  model_probability: number;
  /** What the market's prices give without the vig; null without other prices */
  fair_probability: number | null;
  /** reference: other sportsbooks' prices; market: all sides at the bet's own */
  fair_method: "reference" | "market" | null;
  /** What the market's implied probabilities add up to, beyond 1 */
  overround: number | null;
  /** Age in seconds of the oldest reference price that counts */
  reference_age_s: number | null;
  client_ref?: string | number;
  /** With explain=true: strongest contributions */
  reasons?: string[];
}

/** One side of a market and what it pays; American once its bet is validated. */
export interface Price {
  /** The side */
  selection: string;
  /** Price in the bet's odds_format */
  odds: number | string;
  /** Handicap or total of this side */
  line?: number | null | string;
}

/** What a look at MODEL_DIR came to. */
export interface Reload {
  status: "success";
  message: string;
  changed: boolean;
  model_version: string;
}

/** One word. */
export interface State {
  status: "alive" | "ready" | "starting";
}
