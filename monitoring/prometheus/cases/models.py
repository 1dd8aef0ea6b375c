"""Model sets: loaded, old, drifted."""

from __future__ import annotations

from monitoring.prometheus.cases.case import BLUE, IS_BLUE, NGINX, Case, level

__all__ = ["CASES"]

CASES: tuple[Case, ...] = (
    *(
        Case(
            "PikkitModelsNotLoaded",
            {f"pikkit_models_loaded{{{BLUE}}}": f"{loaded}x20", f"pikkit_workers_alive{{{BLUE}}}": f"{alive}x20"},
            {1: 0, 2: fires},
            f"Only {loaded} workers of blue have models" if fires else "",
            IS_BLUE if fires else {},
        )
        for loaded, alive, fires in ((1, 2, 1), (2, 2, 0), (0, 0, 1), (3, 2, 0))
    ),
    *(
        Case(  # trained before 1970, in a test that begins at its first second
            "PikkitModelsStale",
            {
                f"pikkit_model_trained_timestamp_seconds{{{BLUE}}}": f"{-86400 * days}x140",
                f'pikkit_model_info{{starter="{starter}",{BLUE}}}': "1x140",
            },
            {59: 0, 60: fires},
            f"The models on blue were trained {days:.0f} days ago" if fires else "",
            IS_BLUE if fires else {},
        )
        for days, starter, fires in ((33, "false", 1), (27, "false", 0), (33, "true", 0))
    ),
    *(
        Case(
            "PikkitReloadFailing",
            {
                f"pikkit_model_reload_error{{{BLUE}}}": f"{error}x30",
                f"pikkit_models_loaded{{{BLUE}}}": f"{loaded}x30",
            },
            {9: 0, 10: fires},
            "blue can't use the files in MODEL_DIR, and serves the old set" if fires else "",
            IS_BLUE if fires else {},
        )
        for error, loaded, fires in ((1, 1, 1), (1, 0, 0), (0, 1, 0))
    ),
    *(
        Case(
            "PikkitNoHistory",
            {f"pikkit_history_size{{{BLUE}}}": f"{size}x30", f"pikkit_models_loaded{{{BLUE}}}": f"{loaded}x30"},
            {14: 0, 15: fires},
            "blue has 0 settled bets of history: no bet can be an A or B" if fires else "",
            IS_BLUE if fires else {},
        )
        for size, loaded, fires in ((0, 1, 1), (0, 0, 0), (1, 1, 0))
    ),
    *level(
        "PikkitDrift",
        f'pikkit_drift_psi{{feature="is_live",{BLUE}}}',
        0.27,
        0.23,
        30,
        summary="is_live on blue has drifted from training: PSI 0.27",
        labels={"feature": "is_live", **IS_BLUE},
    ),
    *(
        Case(
            "PikkitUnknownCategories",
            {
                'pikkit:unknown_categories:share1h{column="league",deployment="blue"}': f"{share}x40",
                f"up{{{BLUE}}}": f"{up}x40",
                f"up{{{NGINX}}}": "1x40",
            },
            {14: 0, 15: fires},
            "22% of the bets on blue have a league that the models do not know" if fires else "",
            {"column": "league", "deployment": "blue"} if fires else {},
        )
        for share, up, fires in ((0.22, 1, 1), (0.18, 1, 0), (0.22, 0, 0))
    ),
    *(
        Case(  # high grades in the first two hours, none after; bets all the time
            "PikkitNoHighGradeBets",
            {
                f'pikkit_high_grade_bets_total{{grade="A",{BLUE}}}': f"0+{10 * high}x12 {120 * high}+{10 * late}x190",
                f'pikkit_grades_total{{grade="F",{BLUE}}}': f"0+{10 * bets}x200",
            },
            firing,
            "0 A or B bets in 6 hours, of more than 2,000; the day before had some" if said else "",
            every=10,
        )
        for high, late, bets, firing, said in (
            (11 / 256, 0, 5.75, {470: 0, 500: 0, 501: 1, 1100: 1, 1930: 0}, True),
            (11 / 256, 0, 5.5, {510: 0, 800: 0}, False),
            (9 / 256, 0, 5.75, {510: 0, 800: 0}, False),
            (11 / 256, 1 / 64, 5.75, {510: 0, 800: 0}, False),
        )
    ),
    *(
        Case(
            "PikkitGradeASpike",
            {
                f'pikkit:grades:share30m{{deployment="blue",grade="{grade}"}}': f"{share}x30",
                'pikkit:predictions:increase30m{deployment="blue"}': f"{bets}x30",
            },
            {9: 0, 10: fires},
            "33% of the bets on blue are an A" if fires else "",
            {"deployment": "blue", "grade": "A"} if fires else {},
        )
        for grade, share, bets, fires in (
            ("A", 0.33, 440, 1),
            ("A", 0.27, 440, 0),
            ("A", 0.33, 360, 0),
            ("F", 1, 440, 0),
        )
    ),
)
