/*
 * What of libndpi is used, behind functions that stay the same from release to release.
 *
 * libndpi changes its functions and structures with nearly every release, so this is compiled against the headers that are
 * installed. Rust sees opaque pointers and one flat structure. Nothing here keeps a pointer that it is given.
 */
#include <stdint.h>
#include <string.h>

#include <ndpi_api.h>

#define RELEASE (NDPI_MAJOR * 100 + NDPI_MINOR)

#if RELEASE < 402
#error "libndpi 4.2 or later is needed"
#endif

struct rockfish_result {
    uint64_t risk;
    uint16_t master;
    uint16_t app;
    uint16_t category;
    /* 0 unknown, 1 port, 2 address, 3 other flows, 4 payload. */
    uint8_t confidence;
    /* Whether further packets would change nothing. */
    uint8_t decided;
    uint16_t host_length;
    /* Points into the flow: good until the next call with it. */
    const char *host;
};

typedef struct ndpi_detection_module_struct module_t;
typedef struct ndpi_flow_struct flow_t;

uint32_t rockfish_ndpi_release(void) { return RELEASE; }

const char *rockfish_ndpi_revision(void) { return ndpi_revision(); }

/* The library that is there at run time must have the flow that this was compiled for. */
uint32_t rockfish_ndpi_flow_size(void) { return (uint32_t)sizeof(flow_t); }

uint32_t rockfish_ndpi_library_flow_size(void) { return ndpi_detection_get_sizeof_ndpi_flow_struct(); }

uint32_t rockfish_ndpi_result_size(void) { return (uint32_t)sizeof(struct rockfish_result); }

module_t *rockfish_ndpi_new(void) {
    module_t *module;
#if RELEASE < 410
    module = ndpi_init_detection_module(ndpi_no_prefs);
#else
    module = ndpi_init_detection_module(NULL);
#endif
#if RELEASE < 500
    if (module) {
        NDPI_PROTOCOL_BITMASK all;
        NDPI_BITMASK_SET_ALL(all);
        ndpi_set_protocol_detection_bitmask2(module, &all);
    }
#endif
    return module;
}

int rockfish_ndpi_load_protocols(module_t *module, const char *path) {
    return ndpi_load_protocols_file(module, (char *)path);
}

int rockfish_ndpi_load_categories(module_t *module, const char *path) {
#if RELEASE < 404
    return ndpi_load_categories_file(module, path);
#else
    return ndpi_load_categories_file(module, (char *)path, NULL);
#endif
}

void rockfish_ndpi_finalize(module_t *module) { (void)ndpi_finalize_initialization(module); }

void rockfish_ndpi_free(module_t *module) { ndpi_exit_detection_module(module); }

flow_t *rockfish_ndpi_flow_new(void) { return ndpi_calloc(1, sizeof(flow_t)); }

/* Frees what the flow holds and makes it a new one. */
void rockfish_ndpi_flow_reset(flow_t *flow) {
    ndpi_free_flow_data(flow);
    memset(flow, 0, sizeof(*flow));
}

void rockfish_ndpi_flow_free(flow_t *flow) {
    ndpi_free_flow_data(flow);
    ndpi_free(flow);
}

static uint8_t confidence(const flow_t *flow) {
    if (flow->confidence == NDPI_CONFIDENCE_UNKNOWN)
        return 0;
    if (flow->confidence == NDPI_CONFIDENCE_MATCH_BY_PORT)
        return 1;
#if RELEASE < 404 || RELEASE >= 500
    if (flow->confidence == NDPI_CONFIDENCE_MATCH_BY_IP)
        return 2;
#endif
    return flow->confidence >= NDPI_CONFIDENCE_DPI ? 4 : 3;
}

/*
 * Whether `app` is what an address alone suggests: releases before 4.4 take that for the service. The flow's own guess is
 * written over with what was found, so the addresses are looked up again. In network order.
 */
int rockfish_ndpi_is_by_address(module_t *module, uint32_t one, uint32_t other, uint16_t app) {
#if RELEASE < 404
    struct in_addr address = {.s_addr = one};
    if (ndpi_network_ptree_match(module, &address) == app)
        return 1;
    address.s_addr = other;
    return ndpi_network_ptree_match(module, &address) == app;
#else
    (void)module, (void)one, (void)other, (void)app;
    return 0;
#endif
}

static void fill(const flow_t *flow, ndpi_protocol found, struct rockfish_result *result) {
    const char *end;

#if RELEASE < 411
    result->master = found.master_protocol;
    result->app = found.app_protocol;
#else
    result->master = found.proto.master_protocol;
    result->app = found.proto.app_protocol;
#endif
    result->risk = flow->risk;
    result->category = (uint16_t)found.category;
    result->confidence = confidence(flow);
    result->host = (const char *)flow->host_server_name;
    end = memchr(result->host, 0, sizeof(flow->host_server_name));
    result->host_length = (uint16_t)(end ? (size_t)(end - result->host) : sizeof(flow->host_server_name));
}

/* One packet. `direction`: 1 from the initiator, 2 to it. */
void rockfish_ndpi_packet(module_t *module, flow_t *flow, const uint8_t *packet, uint16_t length, uint64_t time_ms,
                          uint8_t direction, struct rockfish_result *result) {
    ndpi_protocol found;
#if RELEASE < 406
    (void)direction;
    found = ndpi_detection_process_packet(module, flow, packet, length, time_ms);
#else
    struct ndpi_flow_input_info input;
    memset(&input, 0, sizeof(input));
    input.in_pkt_dir = direction;
    found = ndpi_detection_process_packet(module, flow, packet, length, time_ms, &input);
#endif
    fill(flow, found, result);
#if RELEASE < 500
    result->decided = (result->master != NDPI_PROTOCOL_UNKNOWN || result->app != NDPI_PROTOCOL_UNKNOWN) &&
                      !ndpi_extra_dissection_possible(module, flow);
#else
    result->decided = (found.state == NDPI_STATE_CLASSIFIED || found.state == NDPI_STATE_MONITORING) &&
                      flow->extra_packets_func == NULL;
#endif
}

/* No more packets: what is to be said. */
void rockfish_ndpi_give_up(module_t *module, flow_t *flow, struct rockfish_result *result) {
    ndpi_protocol found;
#if RELEASE < 500
    uint8_t guessed = 0;
#endif
#if RELEASE < 410
    found = ndpi_detection_giveup(module, flow, 1, &guessed);
#elif RELEASE < 500
    found = ndpi_detection_giveup(module, flow, &guessed);
#else
    found = ndpi_detection_giveup(module, flow);
#endif
    fill(flow, found, result);
    result->decided = 1;
}

/* The service of a host name, or 0, and its category. The name is in lower case. */
uint16_t rockfish_ndpi_match_host(module_t *module, const char *host, uint32_t length, uint16_t *category) {
    ndpi_protocol_match_result match;
    int found;

    memset(&match, 0, sizeof(match));
    found = ndpi_match_string_subprotocol(module, (char *)host, length, &match);
    if (found <= 0 || found > UINT16_MAX)
        return 0;
    *category = (uint16_t)match.protocol_category;
    return (uint16_t)found;
}

/* The name of a protocol; that of protocol 0 for a number that none has. */
const char *rockfish_ndpi_name(module_t *module, uint16_t number) { return ndpi_get_proto_name(module, number); }

uint16_t rockfish_ndpi_category(module_t *module, uint16_t number) {
    ndpi_protocol protocol;
    memset(&protocol, 0, sizeof(protocol));
#if RELEASE < 411
    protocol.app_protocol = number;
#else
    protocol.proto.app_protocol = number;
#endif
    return (uint16_t)ndpi_get_proto_category(module, protocol);
}

/* The number of risks that this release knows. */
uint32_t rockfish_ndpi_risks(void) { return NDPI_MAX_RISK; }

/* 1 low, 2 medium, 3 high, 4 severe and worse; 0 if there is no such risk. */
uint8_t rockfish_ndpi_severity(uint32_t risk) {
    const ndpi_risk_info *info;
    if (risk == 0 || risk >= NDPI_MAX_RISK)
        return 0;
    info = ndpi_risk2severity((ndpi_risk_enum)risk);
    if (info == NULL)
        return 0;
    return info->severity >= NDPI_RISK_SEVERE ? 4 : (uint8_t)(info->severity - NDPI_RISK_LOW + 1);
}

uint16_t rockfish_ndpi_score(uint64_t risk) {
    uint16_t client = 0, server = 0;
    return ndpi_risk2score(risk, &client, &server);
}
