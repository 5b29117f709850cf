/* The virtio-mem driver (virtio 1.3 §5.15). */
#pragma once
#include "types.h"
#include "virtio.h"

#define VIRTIO_ID_MEM 24

#define VIRTIO_MEM_REQ_PLUG 0
#define VIRTIO_MEM_REQ_UNPLUG 1
#define VIRTIO_MEM_REQ_UNPLUG_ALL 2
#define VIRTIO_MEM_REQ_STATE 3

#define VIRTIO_MEM_RESP_ACK 0
#define VIRTIO_MEM_RESP_NACK 1
#define VIRTIO_MEM_RESP_BUSY 2
#define VIRTIO_MEM_RESP_ERROR 3

#define REQUEST_SIZE 24
#define RESPONSE_SIZE 10
#define REQUEST_SLOTS 64

struct mem_config {
  u64 block_size, node_id, address, region_size, usable_size, plugged_size, requested_size;
};

struct mem_request {
  u16 type;
  u64 address;
  u16 blocks;
};

struct mem_response {
  u16 type, state;
};

/* Read again until the generation stays the same (§4.1.4.3.1). */
struct mem_config mem_read_config(struct virtio_device* device);

/* Where the buffers of a slot are: slot i uses the descriptors 2i and 2i + 1. */
u64 request_buffer(const struct virtio_device* device, u32 slot);
u64 response_buffer(const struct virtio_device* device, u32 slot);

/* Fills a slot and its descriptors; answers the head to make available. */
u16 prepare_request(struct virtio_device* device, u32 slot, const struct mem_request* request);
struct mem_response read_response(const struct virtio_device* device, u32 slot);

/* Sends one request and polls for its answer. Ends the command when none comes. */
struct mem_response mem_request(struct virtio_device* device, u16 type, u64 address, u16 blocks);
const char* response_name(u16 type);

/*
 * Plugs or unplugs until plugged = requested, as far as the device allows. What is plugged is
 * taken to begin at the start of the region without gaps. Answers the last response.
 */
u16 mem_follow(struct virtio_device* device);

/* Ends the command unless `device` has been set up. */
struct virtio_device* need_ready(struct virtio_device* device);
