/* metrics: figures of a running node in OpenMetrics text, for whoever watches it: GET /metrics. Documented in docs/reference/http.md. */
#ifndef HF_NODE_METRICS_H
#define HF_NODE_METRICS_H
#include "node.h"

#define HF_METRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

void hf_metrics_write(const hf_node *node, hf_buf *buf);
#endif
