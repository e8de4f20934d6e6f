/*
 * What `tc netem` does, for kernels that were built without it: packets that come in from a chosen
 * address are held, lost, reordered, damaged and paced before the host sees them. The kernel hands
 * them over (iptables NFQUEUE in mangle INPUT) and keeps them until a verdict is given here.
 *
 * Usage: link-emulator TABLE SEED
 * TABLE is a file of rows of eight-byte little-endian numbers, in the order of `struct row`, which
 * the chaos runner writes and this maps. A packet of no row's address passes at once.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROWS = 64, HELD_MAX = 60000, PACKET_MAX = 0xffff, BUFFER = 1 << 17 };

#define MILLION 1000000
/* How long a packet is held so that those behind overtake it. */
#define REORDER_NS (20 * 1000000LL)

struct row {
  int64_t source;           /* IPv4 address as a number, zero for an unused row */
  int64_t delay_us;
  int64_t jitter_us;        /* uniform, either way */
  int64_t loss_ppm;
  int64_t reorder_ppm;
  int64_t corrupt_ppm;
  int64_t bytes_per_second; /* zero: without bound */
  int64_t handled;          /* counted here: packets of this row */
};

/* A packet that the kernel keeps for us; `payload` only when it is to be damaged. */
struct held {
  int64_t due;
  uint64_t order;
  uint32_t id;
  uint32_t size;
  uint8_t *payload;
};

static volatile struct row *table;
static int64_t last_due[ROWS], free_at[ROWS];
static struct held heap[HELD_MAX];
static int held_count;
static uint64_t order, chance_state;
static int netlink;

static void fail(const char *what) {
  fprintf(stderr, "link-emulator: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* splitmix64: the same seed draws the same chances. */
static uint64_t draw(void) {
  uint64_t z = (chance_state += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

static int happens(int64_t ppm) { return ppm > 0 && (int64_t)(draw() % MILLION) < ppm; }

/* ---- netlink ---- */

struct message {
  struct nlmsghdr header;
  struct nfgenmsg about;
  uint8_t attributes[PACKET_MAX + 64];
};

static struct message out;

static void begin(uint16_t type) {
  memset(&out, 0, sizeof out.header + sizeof out.about);
  out.header.nlmsg_type = (uint16_t)((NFNL_SUBSYS_QUEUE << 8) | type);
  out.header.nlmsg_flags = NLM_F_REQUEST;
  out.header.nlmsg_len = sizeof out.header + sizeof out.about;
  out.about.version = NFNETLINK_V0;
}

static void attribute(uint16_t type, const void *data, size_t size) {
  struct nlattr *attr = (struct nlattr *)((uint8_t *)&out + out.header.nlmsg_len);
  attr->nla_type = type;
  attr->nla_len = (uint16_t)(NLA_HDRLEN + size);
  memcpy((uint8_t *)attr + NLA_HDRLEN, data, size);
  out.header.nlmsg_len += NLA_ALIGN(attr->nla_len);
}

static void transmit(void) {
  while (send(netlink, &out, out.header.nlmsg_len, 0) < 0)
    if (errno != EINTR && errno != EAGAIN && errno != ENOBUFS) fail("send");
}

static void verdict(uint32_t id, uint32_t what, const uint8_t *payload, size_t size) {
  struct nfqnl_msg_verdict_hdr header = {htonl(what), htonl(id)};
  begin(NFQNL_MSG_VERDICT);
  attribute(NFQA_VERDICT_HDR, &header, sizeof header);
  if (payload != NULL) attribute(NFQA_PAYLOAD, payload, size);
  transmit();
}

static void open_queue(void) {
  struct sockaddr_nl self = {.nl_family = AF_NETLINK};
  int size = 32 << 20, on = 1;
  netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  if (netlink < 0 || bind(netlink, (struct sockaddr *)&self, sizeof self) < 0) fail("netlink");
  if (setsockopt(netlink, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
    setsockopt(netlink, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  setsockopt(netlink, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof on);

  struct nfqnl_msg_config_cmd bind_queue = {.command = NFQNL_CFG_CMD_BIND, .pf = htons(AF_INET)};
  struct nfqnl_msg_config_params whole = {htonl(PACKET_MAX), NFQNL_COPY_PACKET};
  uint32_t length = htonl(HELD_MAX);
  begin(NFQNL_MSG_CONFIG);
  out.header.nlmsg_flags |= NLM_F_ACK;
  attribute(NFQA_CFG_CMD, &bind_queue, sizeof bind_queue);
  attribute(NFQA_CFG_PARAMS, &whole, sizeof whole);
  attribute(NFQA_CFG_QUEUE_MAXLEN, &length, sizeof length);
  transmit();
}

/* ---- packets that are held, the next one due first ---- */

static int sooner(const struct held *one, const struct held *other) {
  return one->due != other->due ? one->due < other->due : one->order < other->order;
}

static void push(struct held packet) {
  int at = held_count++;
  for (; at > 0 && sooner(&packet, &heap[(at - 1) / 2]); at = (at - 1) / 2)
    heap[at] = heap[(at - 1) / 2];
  heap[at] = packet;
}

static struct held pop(void) {
  struct held first = heap[0], last = heap[--held_count];
  int at = 0;
  for (int child; (child = 2 * at + 1) < held_count; at = child) {
    if (child + 1 < held_count && sooner(&heap[child + 1], &heap[child])) child++;
    if (!sooner(&heap[child], &last)) break;
    heap[at] = heap[child];
  }
  heap[at] = last;
  return first;
}

static void release_due(void) {
  int64_t now = now_ns();
  while (held_count > 0 && heap[0].due <= now) {
    struct held packet = pop();
    verdict(packet.id, NF_ACCEPT, packet.payload, packet.size);
    free(packet.payload);
  }
}

/* ---- what happens to a packet ---- */

static int row_of(const uint8_t *packet, size_t size) {
  if (size < 20 || packet[0] >> 4 != 4) return -1;
  uint32_t source;
  memcpy(&source, packet + 12, sizeof source);
  for (int at = 0; at < ROWS; at++)
    if (table[at].source != 0 && (uint32_t)table[at].source == ntohl(source)) return at;
  return -1;
}

/* When it arrives: after those before it, unless it is one to be overtaken. */
static int64_t arrival(int at, size_t size) {
  volatile struct row *row = &table[at];
  int64_t now = now_ns(), sent = now, jitter = row->jitter_us, rate = row->bytes_per_second;
  if (rate > 0) {
    sent = free_at[at] > now ? free_at[at] : now;
    sent += (int64_t)size * 1000000000LL / rate;
    free_at[at] = sent;
  }
  int64_t delay_us = row->delay_us;
  if (jitter > 0) delay_us += (int64_t)(draw() % (uint64_t)(2 * jitter + 1)) - jitter;
  int64_t due = sent + (delay_us > 0 ? delay_us : 0) * 1000;
  if (happens(row->reorder_ppm)) return due + REORDER_NS;
  if (due < last_due[at]) due = last_due[at];
  last_due[at] = due;
  return due;
}

static void handle_packet(uint32_t id, const uint8_t *packet, size_t size) {
  int at = row_of(packet, size);
  if (at < 0) {
    verdict(id, NF_ACCEPT, NULL, 0);
    return;
  }
  table[at].handled++;
  if (happens(table[at].loss_ppm) || held_count == HELD_MAX) {
    verdict(id, NF_DROP, NULL, 0);
    return;
  }
  struct held held = {.due = arrival(at, size), .order = order++, .id = id};
  if (happens(table[at].corrupt_ppm)) {
    held.payload = malloc(size);
    if (held.payload == NULL) fail("malloc");
    memcpy(held.payload, packet, size);
    held.size = (uint32_t)size;
    /* Behind the IP header, whose own checksum is not asked any more. */
    size_t behind = size > 20 ? 20 : 0;
    held.payload[behind + draw() % (size - behind)] ^= (uint8_t)(1u << draw() % 8);
  }
  push(held);
}

static void handle_message(const struct nlmsghdr *header) {
  if (header->nlmsg_type == NLMSG_ERROR) {
    int code = ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
    errno = -code;
    /* A verdict on a packet whose socket is gone meanwhile is no failure. */
    if (code != 0 && code != -ENOENT) fail("the kernel refused");
    return;
  }
  if (header->nlmsg_type != ((NFNL_SUBSYS_QUEUE << 8) | NFQNL_MSG_PACKET)) return;
  const uint8_t *at = (const uint8_t *)header + NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg));
  const uint8_t *end = (const uint8_t *)header + header->nlmsg_len;
  uint32_t id = 0;
  const uint8_t *payload = NULL;
  size_t size = 0;
  while (at + NLA_HDRLEN <= end) {
    const struct nlattr *attr = (const struct nlattr *)at;
    if (attr->nla_len < NLA_HDRLEN || at + attr->nla_len > end) break;
    int type = attr->nla_type & NLA_TYPE_MASK;
    if (type == NFQA_PACKET_HDR)
      id = ntohl(((const struct nfqnl_msg_packet_hdr *)(at + NLA_HDRLEN))->packet_id);
    if (type == NFQA_PAYLOAD) {
      payload = at + NLA_HDRLEN;
      size = attr->nla_len - NLA_HDRLEN;
    }
    at += NLA_ALIGN(attr->nla_len);
  }
  handle_packet(id, payload, size);
}

static void wait_and_receive(void) {
  static uint8_t buffer[BUFFER];
  struct pollfd ready = {.fd = netlink, .events = POLLIN};
  struct timespec wait, *timeout = NULL;
  if (held_count > 0) {
    int64_t left = heap[0].due - now_ns();
    if (left < 0) left = 0;
    wait = (struct timespec){left / 1000000000LL, left % 1000000000LL};
    timeout = &wait;
  }
  if (ppoll(&ready, 1, timeout, NULL) <= 0) return;
  ssize_t received = recv(netlink, buffer, sizeof buffer, MSG_DONTWAIT);
  if (received < 0 && errno != EAGAIN && errno != EINTR && errno != ENOBUFS) fail("recv");
  int left = received < 0 ? 0 : (int)received;
  for (struct nlmsghdr *one = (struct nlmsghdr *)buffer; NLMSG_OK(one, left);
       one = NLMSG_NEXT(one, left))
    handle_message(one);
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: link-emulator TABLE SEED\n");
    return 2;
  }
  int file = open(argv[1], O_RDWR | O_CLOEXEC);
  if (file < 0) fail(argv[1]);
  table = mmap(NULL, ROWS * sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (table == MAP_FAILED) fail("mmap");
  chance_state = strtoull(argv[2], NULL, 10);
  open_queue();
  for (;;) {
    wait_and_receive();
    release_due();
  }
}
