"""The page of a soak, docs/results/soak.md, and the bars that it names."""

# Latency may be a quarter more, or 5 ms, at the end than in the best quarter.
MOST_SLOPE_MB_H, MOST_WORSE, LEAST_WORSE_MS = 1.0, 1.25, 5.0


def markdown(done):
    """The figures for a person."""
    columns = " | ".join(f"quarter {n}" for n in range(1, len(done["quarters"]) + 1))
    by_quarter = {
        "fps without a fault": [q["fps_undisturbed"] for q in done["quarters"]],
        "latency, ms, p50": [q["latency_ms"]["p50"] for q in done["quarters"]],
        "latency, ms, p95": [q["latency_ms"]["p95"] for q in done["quarters"]],
        "frames dropped, late": [q["dropped_late"] for q in done["quarters"]],
        "memory, MB, median": [q["rss_mb"] for q in done["quarters"]],
        "load of the machine, median": [q["load"] for q in done["quarters"]],
    }
    return "\n".join(
        [
            "# A live stream for hours, broken at random moments",
            "",
            f"`python -m tests.bench.soak --hours {done['hours']:g} --fps {done['fps']} --seed "
            f"{done['seed']}`, {done['date']}, {done['machine']}, fervid {done['fervid']}. "
            f"`{done['clip']}` in a loop at {done['size'][0]}x{done['size'][1]}, H.264 by "
            "GStreamer's RTSP server on loopback; fervid with all that `-o` writes, annotated "
            "video included. Plot: [soak.png](../soak.png).",
            "",
            "| | | bar |",
            "|---|---|---|",
            *_bars(done),
            "",
            f"| | {columns} |",
            "|---" * (len(done["quarters"]) + 1) + "|",
            *(f"| {name} | {' | '.join(map(str, row))} |" for name, row in by_quarter.items()),
            "",
            "Latency: from the decoded picture to its line in the journal. Frames of the "
            "first seconds after a loss count in it, and in none of the rates. The p95 is flat "
            f"where that of the last quarter is within {MOST_WORSE - 1:.0%} or {LEAST_WORSE_MS:g} "
            "ms of the best one. Threads and descriptors do not grow where the median of the last "
            "quarter after warming up is not over that of the first.",
            "",
        ]
    )


def _bars(done):
    faults, memory, met = done["faults"], done["memory"], done["bars"]
    kinds = ", ".join(f"{n} x {how}" for how, n in faults["by_kind"].items())
    first, end = faults["first_result_s"], done["end"]
    ended = (
        f"exit code {end['exit_code']} {end['took_s']} s after Ctrl-C; {end['rows']} rows, "
        f"{end['summary']} frames in the summary, {end['video']} pictures in the video"
        if end and not end["ended_early"]
        else "ended early"
        if end
        else "the record was broken off"
    )
    verdict = {name: "met" if held else "**missed**" for name, held in met.items()}
    late = [q["latency_ms"]["p95"] for q in done["quarters"]]
    return [
        f"| duration | {done['duration_s'] / 3600:.2f} h, {done['frames']} frames, "
        f"{done['cpu_share']:.2f} cores | |",
        f"| faults | {faults['injected']} ({kinds}), {faults['noticed']} noticed, "
        f"{faults['recovered']} recovered; first "
        f"result {first['median']} s after the server's return, at most {first['largest']} s "
        f"| {verdict['recovered']} |",
        f"| memory (RSS) after {done['warm_up_s']} s | {done['slope_mb_h']['rss_mb']} MB/h by "
        f"least squares, standard error {done['slope_error_mb_h']} ({memory['first_mb']} first, "
        f"{memory['last_mb']} last, "
        f"{memory['max_mb']} most) | under {MOST_SLOPE_MB_H:g}: {verdict['memory']} |",
        *(
            f"| {key} | {done[key]['first']} first, {done[key]['last']} last, "
            f"{done[key]['max']} most | no growth: {verdict[key]} |"
            for key in ("threads", "descriptors")
        ),
        f"| latency, p95 | by quarter: {late} ms | flat: {verdict['latency_p95']} |",
        f"| end | {ended} | {verdict['ended']} |",
    ]
