/* report: see report.h. */
#include "report.h"

#include "world.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

static void say(hf_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(hf_buf *buf, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n > 0) hf_buf_add(buf, HF_BYTES(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1));
}

#define U(x) ((unsigned long long)(x))

void hf_report_command(hf_buf *buf, const hf_sim_config *c) {
    say(buf, "holdfast sim --seed %llu --peers %u --minutes %u --writes %u --degree %u ", U(c->seed), c->n_peers, c->minutes, c->n_writes, c->degree);
    if (c->churn) say(buf, "--churn %u ", c->churn);
    if (c->wave) say(buf, "--wave ");
    if (c->scene) return say(buf, "--scene %s", hf_scene_name(c->scene));
    say(buf, "--faults ");
    if (c->harms == HF_HARM_ALL || !c->harms) return say(buf, c->harms ? "all" : "none");
    bool first = true;
    for (unsigned i = 0; i < HF_HARMS; i++)
        if (c->harms >> i & 1) {
            say(buf, "%s%s", first ? "" : ",", hf_harm_name((hf_harm)i));
            first = false;
        }
}

static void say_ms(hf_buf *buf, uint64_t ms) {
    if (ms == UINT64_MAX) say(buf, "never");
    else say(buf, "%llu ms", U(ms));
}

static void say_wave(hf_buf *buf, const hf_sim_result *r) {
    const hf_sim_wave *v = &r->wave;
    say(buf, "the node died with %llu connections; without it %llu dials and %llu asks, at most %llu by one browser; %llu dials after its return\n", U(v->n_links_before),
        U(v->n_dials), U(v->n_asks), U(v->n_most), U(v->n_back_dials));
    say(buf, "something written without it was at half of the browsers ");
    say_ms(buf, v->reach_ms[0]);
    say(buf, ", at 99 %% ");
    say_ms(buf, v->reach_ms[1]);
    say(buf, " after its death; %llu of %llu entries before its return\nafter its return half were connected to it after ", U(v->n_reached), U(v->n_written));
    say_ms(buf, v->connected_ms[0]);
    say(buf, ", all after ");
    say_ms(buf, v->connected_ms[1]);
    say(buf, ", and it had what was written without it after ");
    say_ms(buf, v->level_ms);
    say(buf, "\n");
}

static void say_scene(hf_buf *buf, const hf_sim_config *c, const hf_sim_result *r) {
    const hf_sim_scene *v = &r->scene;
    say(buf, "scene %s: %llu sybils among %u peers, %llu in a bucket at most, %.1f in a table; %llu dials of one by another in a minute at most; memory of a host %llu KiB\n",
        hf_scene_name(c->scene), U(v->n_sybils), c->n_peers, U(v->in_bucket_most), (double)v->in_tables_mean_milli / 1000, U(v->same_dials_most), U(r->memory_mean / 1024));
    if (v->n_lookups)
        say(buf, "%llu of %llu lookups found it (%llu without an end), half within %llu ms, 99 %% within %llu ms; %.2f hops, at most %llu; %.1f peers asked\n", U(v->n_found),
            U(v->n_lookups), U(v->n_no_answer), U(v->lookup_ms[0]), U(v->lookup_ms[1]), (double)v->hops_mean_milli / 1000, U(v->hops_max), (double)v->asked_mean_milli / 1000);
    if (v->restarts && v->relinked_ms != UINT64_MAX)
        say(buf, "the one that was surrounded had a link with an honest one %llu ms after a restart\n", U(v->relinked_ms));
    if (v->n_messages)
        say(buf, "%llu messages, %llu of %llu deliveries, %llu twice; half within %llu ms, 99 %% within %llu ms\n", U(v->n_messages), U(v->n_delivered), U(v->n_wanted),
            U(v->n_twice), U(v->delay_ms[0]), U(v->delay_ms[1]));
    if (v->n_relayed)
        say(buf, "%llu of %llu reached through a relay, half within %llu ms, 99 %% within %llu ms\n", U(v->n_reached), U(v->n_relayed), U(v->relay_ms[0]), U(v->relay_ms[1]));
}

static void say_app(hf_buf *buf, const hf_sim_config *c, const hf_sim_result *r) {
    say(buf, "writes %llu, sent %llu times, acknowledged %llu, entries %llu, refused %llu, starts %llu (%llu from a snapshot)\n", U(r->n_ops), U(r->n_tries),
        U(r->n_acked), U(r->n_entries), U(r->n_refused), U(r->n_starts), U(r->n_restored));
    say(buf, "faults:");
    for (unsigned i = 0; i < HF_HARMS; i++)
        if (c->harms >> i & 1) say(buf, " %s %llu", hf_harm_name((hf_harm)i), U(r->n_harms[i]));
    for (unsigned i = 0; i < HF_PARTS; i++)
        if (r->n_parts[i]) say(buf, "%s%s %llu", i ? ", " : "; ", hf_part_name((hf_part)i), U(r->n_parts[i]));
    say(buf, "%s\nan entry is at half of the peers after %llu ms, at 99 %% after %llu ms, at all after %llu ms (medians); %.2f hops, at most %llu\n",
        c->harms ? "" : " none", U(r->spread_ms[0]), U(r->spread_ms[1]), U(r->spread_ms[2]), (double)r->hops_mean_milli / 1000, U(r->hops_max));
    say(buf, "memory of a core: %llu KiB in the middle, %llu KiB at most; longest queue %llu KiB\n", U(r->memory_mean / 1024), U(r->memory_max / 1024), U(r->queue_max / 1024));
    say(buf, "left and came back %llu; of the %u dials that a peer may make at once, most used %llu\n", U(r->n_churned), HF_DIALS_BURST, U(r->dials_most));
    if (c->wave) say_wave(buf, r);
    if (r->ok) say(buf, "all equal %.2f s after the last fault; %llu checks\n", (double)r->converge_ms / 1000, U(r->n_checks));
}

void hf_report_text(hf_buf *buf, const hf_sim_config *c, const hf_sim_result *r, double real_s) {
    say(buf, "%u peers, %.1f s of virtual time in %.1f s: %.1f to 1\n", c->n_peers, (double)r->virtual_ms / 1000, real_s, (double)r->virtual_ms / 1000 / real_s);
    say(buf, "events %llu, packets %llu, bytes %llu, connections %llu of %llu dials\n", U(r->n_events), U(r->n_packets), U(r->n_bytes), U(r->n_links), U(r->n_dials));
    if (c->scene) say_scene(buf, c, r);
    else say_app(buf, c, r);
    if (!r->ok) say(buf, "FAILED: %s: %s\n", r->property, r->detail);
    say(buf, "history ");
    hf_buf_add_hex(buf, HF_BYTES(r->digest, sizeof r->digest));
    say(buf, "\n");
}

void hf_report_json(hf_buf *buf, const hf_sim_config *c, const hf_sim_result *r, double real_s) {
    say(buf, "{\"ok\":%s,\"seed\":%llu,\"peers\":%u,\"minutes\":%u,\"writes\":%u,\"degree\":%u,\"faults\":{", r->ok ? "true" : "false", U(c->seed), c->n_peers, c->minutes,
        c->n_writes, c->degree);
    bool first = true;
    for (unsigned i = 0; i < HF_HARMS; i++)
        if (c->harms >> i & 1) {
            say(buf, "%s\"%s\":%llu", first ? "" : ",", hf_harm_name((hf_harm)i), U(r->n_harms[i]));
            first = false;
        }
    say(buf, "},\"virtualMs\":%llu,\"realMs\":%.0f,\"events\":%llu,\"packets\":%llu,\"bytes\":%llu,\"connections\":%llu,\"dials\":%llu,", U(r->virtual_ms), real_s * 1000,
        U(r->n_events), U(r->n_packets), U(r->n_bytes), U(r->n_links), U(r->n_dials));
    say(buf, "\"tries\":%llu,\"acknowledged\":%llu,\"entries\":%llu,\"refused\":%llu,\"starts\":%llu,\"restored\":%llu,\"checks\":%llu,", U(r->n_tries), U(r->n_acked),
        U(r->n_entries), U(r->n_refused), U(r->n_starts), U(r->n_restored), U(r->n_checks));
    say(buf, "\"convergeMs\":%llu,\"spreadMs\":[%llu,%llu,%llu],\"hops\":%.3f,\"hopsMax\":%llu,\"memory\":%llu,\"memoryMax\":%llu,\"queueMax\":%llu,", U(r->converge_ms),
        U(r->spread_ms[0]), U(r->spread_ms[1]), U(r->spread_ms[2]), (double)r->hops_mean_milli / 1000, U(r->hops_max), U(r->memory_mean), U(r->memory_max), U(r->queue_max));
    say(buf, "\"partitions\":{");
    for (unsigned i = 0; i < HF_PARTS; i++) say(buf, "%s\"%s\":%llu", i ? "," : "", hf_part_name((hf_part)i), U(r->n_parts[i]));
    say(buf, "},\"churned\":%llu,\"dialsMost\":%llu,", U(r->n_churned), U(r->dials_most));
    if (c->scene)
        say(buf, "\"scene\":\"%s\",\"lookups\":%llu,\"found\":%llu,\"delivered\":%llu,\"wanted\":%llu,\"relayed\":%llu,\"reached\":%llu,", hf_scene_name(c->scene), U(r->scene.n_lookups),
            U(r->scene.n_found), U(r->scene.n_delivered), U(r->scene.n_wanted), U(r->scene.n_relayed), U(r->scene.n_reached));
    say(buf, "\"failed\":\"%s\",\"history\":\"", r->property);
    hf_buf_add_hex(buf, HF_BYTES(r->digest, sizeof r->digest));
    say(buf, "\"}\n");
}

/* ---- the picture: nodes inside, browsers around them, hostile ones outside; below, how it converged ---- */

enum { WIDE = 900, NET = 560, CHART = 220, LINES_MAX = 6000 };

static void place(const hf_world *w, const hf_sim_peer *p, double *x, double *y) {
    uint32_t from = p->role == HF_ROLE_NODE ? 0 : p->role == HF_ROLE_BROWSER ? w->n_nodes : w->n_honest;
    uint32_t to = p->role == HF_ROLE_NODE ? w->n_nodes : p->role == HF_ROLE_BROWSER ? w->n_honest : w->config.n_peers;
    double part = ((double)(p->index - from) + 0.5) / (double)(to - from), radius = p->role == HF_ROLE_NODE ? 120 : p->role == HF_ROLE_BROWSER ? 205 : 262;
    radius += (to - from > 100 ? 45.0 : 12.0) * (part * 7919 - floor(part * 7919) - 0.5); /* scattered, the same each time */
    *x = WIDE / 2.0 + 1.45 * radius * cos(part * 6.283185307);
    *y = NET / 2.0 + radius * sin(part * 6.283185307);
}

static void draw_network(hf_buf *buf, const hf_world *w) {
    static const char *const colours[] = {"#0f766e", "#60a5fa", "#dc2626", "#dc2626", "#dc2626", "#dc2626"};
    say(buf, "<g stroke=\"#94a3b8\" stroke-width=\"%s\" stroke-opacity=\"%s\">", w->config.n_peers > 300 ? ".3" : ".8", w->config.n_peers > 300 ? ".35" : ".6");
    size_t n = 0;
    for (size_t i = 0; i < w->links.n && n < LINES_MAX; i++) {
        const hf_sim_link *l = &w->links.items[i];
        double x[2], y[2];
        if (!l->number || !l->ends[0].open) continue;
        for (int k = 0; k < 2; k++) place(w, &w->peers[l->ends[k].peer], &x[k], &y[k]);
        say(buf, "<path d=\"M%.1f %.1fL%.1f %.1f\"/>", x[0], y[0], x[1], y[1]);
        n++;
    }
    say(buf, "</g>\n");
    for (uint32_t i = 0; i < w->config.n_peers; i++) {
        double x, y;
        place(w, &w->peers[i], &x, &y);
        say(buf, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%s\" fill=\"%s\"/>", x, y, w->config.n_peers > 300 ? "1.6" : "5", colours[w->peers[i].role]);
    }
}

static void draw_line(hf_buf *buf, const hf_sim_result *r, const char *colour, bool up, double n_max) {
    double end_ms = (double)(r->virtual_ms ? r->virtual_ms : 1);
    say(buf, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" d=\"", colour);
    for (size_t i = 0; i < r->n_samples; i++) {
        const hf_sim_sample *s = &r->samples[i];
        double part = up ? (double)s->n_up / n_max : (double)s->held_permille / 1000;
        say(buf, "%c%.1f %.1f", i ? 'L' : 'M', 60 + (WIDE - 90) * (double)s->at_ms / end_ms, NET + 20 + (CHART - 50) * (1 - part));
    }
    say(buf, "\"/>\n");
}

static void draw_chart(hf_buf *buf, const hf_world *w) {
    const hf_sim_result *r = w->result;
    double x = 60 + (WIDE - 90) * (double)w->end_ms / (double)(r->virtual_ms ? r->virtual_ms : 1), bottom = NET + CHART - 30;
    say(buf, "<path stroke=\"#cbd5e1\" d=\"M60 %dL%d %d\"/><path stroke=\"#cbd5e1\" d=\"M60 %.0fL%d %.0f\"/>", NET + 20, WIDE - 30, NET + 20, bottom, WIDE - 30, bottom);
    if (x <= WIDE - 30) say(buf, "<path stroke=\"#f59e0b\" stroke-dasharray=\"4 3\" d=\"M%.1f %dL%.1f %.0f\"/>", x, NET + 10, x, bottom);
    draw_line(buf, r, "#94a3b8", true, w->n_honest);
    draw_line(buf, r, "#0f766e", false, 1);
    say(buf, "<g font-family=\"sans-serif\" font-size=\"12\" fill=\"#334155\"><text x=\"20\" y=\"%d\">100 %%</text><text x=\"40\" y=\"%.0f\">0</text>", NET + 24, bottom + 4);
    say(buf, "<text x=\"60\" y=\"%.0f\">green: part of all entries that is at the peers that are up; grey: peers that are up; dashed: the last fault is mended. %llu s in all</text>",
        bottom + 20, U(r->virtual_ms / 1000));
    say(buf, "<text x=\"20\" y=\"20\">%u peers: nodes green, browsers blue, hostile red; %zu connections at the end</text></g>", w->config.n_peers, (size_t)w->links.n_open);
}

void hf_report_picture(hf_buf *buf, const hf_world *w) {
    say(buf, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\"><rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n", WIDE, NET + CHART);
    draw_network(buf, w);
    draw_chart(buf, w);
    say(buf, "</svg>\n");
}
