/*
 * The load client of the benchmarks: one thread, one epoll set. It is the feed that publishes and the clients that
 * receive, so that one clock times both. Commands come on standard input, one a line; each is answered by one line.
 *
 *   open COUNT PARALLEL PORT MARKER FILE    opens and holds connections; each is ready once MARKER was seen
 *   churn COUNT PARALLEL PORT MARKER FILE   the same, but each is closed as soon as it is ready
 *   post PORT PATH                          publishes by POST requests from now on, not by the feed
 *   rate EVENTS_PER_S BURST MS TOPICS       publishes at this rate for so long, then waits for what is under way
 *   window EVENTS MS                        publishes as fast as so many events under way allow
 *   flood MS TOPICS                         publishes as fast as the feed's reader takes it
 *   await DELIVERIES MS                     until so many deliveries since the last command that counts
 *   close                                   closes all clients
 *   cpu PID…                                CPU time of these processes, user and kernel, all threads
 *
 * FILE holds records, used in turn: two texts of each connection, length first (4 bytes, little endian): what is sent
 * at once, and what is sent once the response's head has come. The feed's port is printed first.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 20000
#define STAMP "\"t\":"
#define STAMP_LENGTH 4
#define DIGITS 16
#define CARRY (STAMP_LENGTH + DIGITS - 1)
#define BUCKETS 1024
#define READ_BYTES (256 * 1024)

enum kind { KIND_INPUT, KIND_FEED_LISTENER, KIND_FEED, KIND_PUBLISHER, KIND_CLIENT, KIND_TIMER };
enum state { STATE_GREETING, STATE_ASKED, STATE_READY };

struct client {
  enum kind kind;
  int fd;
  enum state state;
  int record;
  int carried;
  char carry[CARRY + 512];
};

struct record {
  const char *hello, *after;
  uint32_t hello_length, after_length;
};

static struct client *clients[CLIENTS_MAX];
static int client_count;
static struct record *records;
static int record_count;
static char *record_bytes;
static int loop_fd, timer_fd, feed_listener = -1, feed = -1, publisher = -1;
static char post_path[256];
static char *out;
static size_t out_length, out_capacity;
static uint64_t deliveries, sent, histogram[BUCKETS], latency_max;
static int ready, failed, started, wanted, parallel, churning;
static struct sockaddr_in target;
static char marker[128];
static char buffer[READ_BYTES + CARRY + 1];
static const enum kind input_kind = KIND_INPUT, listener_kind = KIND_FEED_LISTENER, feed_kind = KIND_FEED,
                       publisher_kind = KIND_PUBLISHER, timer_kind = KIND_TIMER;

/* Monotonic; never of fewer than 16 digits, so that stamps are JSON numbers of one length. */
static uint64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return 1000000000000000u + (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static void die(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* 16 buckets for each power of two: 6 % wide. */
static int bucket_of(uint64_t us) {
  if (us < 16) return (int)us;
  int power = 63 - __builtin_clzll(us);
  int at = (power - 3) * 16 + (int)((us >> (power - 4)) & 15);
  return at < BUCKETS ? at : BUCKETS - 1;
}

static double bucket_end(int at) {
  if (at < 16) return at + 1;
  int power = at / 16 + 3;
  return (double)((uint64_t)(16 + at % 16 + 1) << (power - 4));
}

static double percentile(double share) {
  uint64_t total = 0, passed = 0;
  for (int i = 0; i < BUCKETS; i++) total += histogram[i];
  for (int i = 0; i < BUCKETS; i++) {
    passed += histogram[i];
    if (total > 0 && (double)passed >= share * (double)total) return bucket_end(i);
  }
  return 0;
}

static void watch(int fd, const void *what, uint32_t events, int op) {
  struct epoll_event event = {.events = events, .data.ptr = (void *)what};
  if (epoll_ctl(loop_fd, op, fd, &event) < 0) die("epoll_ctl");
}

static void no_delay(int fd) {
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/* ---- clients ---- */

static void drop_client(struct client *client) {
  /* A reset leaves no TIME_WAIT behind, of which 50,000 would fill the port range. */
  struct linger hard = {1, 0};
  setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close(client->fd);
  client->fd = -1;
}

static void start_client(struct client *client, int number) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0) die("socket");
  no_delay(fd);
  if (connect(fd, (struct sockaddr *)&target, sizeof target) < 0 && errno != EINPROGRESS) die("connect");
  client->kind = KIND_CLIENT;
  client->fd = fd;
  client->state = STATE_GREETING;
  client->record = number % record_count;
  client->carried = 0;
  watch(fd, client, EPOLLIN | EPOLLOUT, EPOLL_CTL_ADD);
}

static void start_clients(void) {
  while (started < wanted && started - ready - failed < parallel) {
    int place = churning ? -1 : client_count;
    struct client *client = calloc(1, sizeof *client);
    if (client == NULL) die("calloc");
    if (place >= CLIENTS_MAX) die("too many clients");
    if (place >= 0) clients[client_count++] = client;
    start_client(client, started++);
  }
}

static void lose_client(struct client *client) {
  drop_client(client);
  failed++;
  if (churning) free(client);
}

static void count_events(struct client *client, char *bytes, int length) {
  char *at = bytes, *end = bytes + length;
  uint64_t now = 0;
  while ((at = memmem(at, (size_t)(end - at), STAMP, STAMP_LENGTH)) != NULL && end - at >= STAMP_LENGTH + DIGITS) {
    uint64_t stamp = 0;
    at += STAMP_LENGTH;
    for (int i = 0; i < DIGITS; i++) stamp = stamp * 10 + (uint64_t)(at[i] - '0');
    if (now == 0) now = now_us();
    uint64_t latency = now > stamp ? now - stamp : 0;
    histogram[bucket_of(latency)]++;
    if (latency > latency_max) latency_max = latency;
    deliveries++;
    at += DIGITS;
  }
  /* What may be a stamp's beginning is looked at again with what follows. */
  int keep = length < CARRY ? length : CARRY;
  char *tail = end - keep;
  char *last = NULL;
  for (char *p = tail; (p = memmem(p, (size_t)(end - p), "\"", 1)) != NULL; p++) {
    int rest = (int)(end - p);
    int compare = rest < STAMP_LENGTH ? rest : STAMP_LENGTH;
    if (memcmp(p, STAMP, (size_t)compare) == 0 && rest < STAMP_LENGTH + DIGITS) last = p;
  }
  client->carried = last == NULL ? 0 : (int)(end - last);
  if (last != NULL) memcpy(client->carry, last, (size_t)client->carried);
}

static void read_client(struct client *client) {
  char *bytes = buffer + 0;
  memcpy(bytes, client->carry, (size_t)client->carried);
  ssize_t got = read(client->fd, bytes + client->carried, READ_BYTES - 512);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    if (client->state != STATE_READY) lose_client(client);
    else {
      drop_client(client);
      failed++;
    }
    return;
  }
  int length = client->carried + (int)got;
  if (client->state == STATE_READY) {
    count_events(client, bytes, length);
    return;
  }
  bytes[length] = 0;
  const struct record *record = &records[client->record];
  char *rest = bytes;
  if (client->state == STATE_GREETING) {
    char *head_end = memmem(bytes, (size_t)length, "\r\n\r\n", 4);
    if (head_end != NULL) {
      if (memcmp(bytes + 9, "200", 3) != 0 && memcmp(bytes + 9, "101", 3) != 0) {
        fprintf(stderr, "load: answered %.60s\n", bytes);
        lose_client(client);
        return;
      }
      client->state = STATE_ASKED;
      if (record->after_length > 0 && write(client->fd, record->after, record->after_length) < 0) {
        lose_client(client);
        return;
      }
      rest = head_end + 4;
    }
  }
  int rest_length = (int)(bytes + length - rest);
  char *found = client->state != STATE_ASKED ? NULL
                : marker[0] == 0             ? rest
                                             : memmem(rest, (size_t)rest_length, marker, strlen(marker));
  if (found != NULL) {
    client->state = STATE_READY;
    ready++;
    client->carried = 0;
    if (churning) {
      drop_client(client);
      free(client);
      return;
    }
    count_events(client, found, (int)(bytes + length - found));
    return;
  }
  int keep = rest_length < (int)sizeof client->carry ? rest_length : (int)sizeof client->carry;
  memmove(client->carry, bytes + length - keep, (size_t)keep);
  client->carried = keep;
}

static void on_client(struct client *client, uint32_t events) {
  if (client->fd < 0) return;
  if (events & EPOLLOUT) {
    const struct record *record = &records[client->record];
    if (write(client->fd, record->hello, record->hello_length) != (ssize_t)record->hello_length) {
      lose_client(client);
      return;
    }
    watch(client->fd, client, EPOLLIN, EPOLL_CTL_MOD);
  }
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_client(client);
}

static void load_records(const char *file) {
  FILE *in = fopen(file, "rb");
  if (in == NULL) die(file);
  fseek(in, 0, SEEK_END);
  size_t size = (size_t)ftell(in);
  rewind(in);
  free(record_bytes);
  record_bytes = malloc(size);
  if (record_bytes == NULL || fread(record_bytes, 1, size, in) != size) die("records");
  fclose(in);
  record_count = 0;
  for (size_t at = 0; at < size;) {
    records = realloc(records, sizeof *records * (size_t)(record_count + 1));
    struct record *record = &records[record_count++];
    memcpy(&record->hello_length, record_bytes + at, 4);
    record->hello = record_bytes + at + 4;
    at += 4 + record->hello_length;
    memcpy(&record->after_length, record_bytes + at, 4);
    record->after = record_bytes + at + 4;
    at += 4 + record->after_length;
  }
}

/* ---- publishing ---- */

static void room(size_t more) {
  if (out_length + more <= out_capacity) return;
  out_capacity = (out_length + more) * 2;
  out = realloc(out, out_capacity);
  if (out == NULL) die("realloc");
}

static void put_event(uint64_t stamp, int topic) {
  char body[512];
  int length = snprintf(body, sizeof body,
                        "{\"symbol\":\"s%d\",\"t\":%llu,\"n\":%llu,\"text\":\"forty-four letters, as a short quote would have\"}",
                        topic, (unsigned long long)stamp, (unsigned long long)sent);
  room((size_t)length + 512);
  if (publisher >= 0)
    out_length += (size_t)sprintf(out + out_length, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s",
                                  post_path, length, body);
  else
    out_length += (size_t)sprintf(out + out_length, "id: %llu\ndata: %s\n\n", (unsigned long long)sent, body);
  sent++;
}

/* Answers false when the reader takes no more. */
static int flush_out(void) {
  int fd = publisher >= 0 ? publisher : feed;
  if (fd < 0) die("nobody reads the feed");
  size_t done = 0;
  while (done < out_length) {
    ssize_t put = send(fd, out + done, out_length - done, MSG_NOSIGNAL);
    if (put < 0 && errno == EAGAIN) break;
    if (put < 0) die("publish");
    done += (size_t)put;
  }
  memmove(out, out + done, out_length - done);
  out_length -= done;
  return out_length == 0;
}

static void on_feed_listener(void) {
  int fd = accept4(feed_listener, NULL, NULL, SOCK_NONBLOCK);
  if (fd < 0) return;
  no_delay(fd);
  if (feed >= 0) close(feed);
  feed = fd;
  watch(fd, &feed_kind, EPOLLIN, EPOLL_CTL_ADD);
}

static void on_feed(void) {
  char request[8192];
  ssize_t got = read(feed, request, sizeof request);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    close(feed);
    feed = -1;
    return;
  }
  static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n: ok\n\n";
  if (memmem(request, (size_t)got, "\r\n\r\n", 4) != NULL && write(feed, head, sizeof head - 1) < 0) die("feed");
}

static void on_publisher(void) {
  char answer[65536];
  ssize_t got = read(publisher, answer, sizeof answer);
  if (got == 0) exit(0);
}

/* ---- the loop and the commands ---- */

static void turn(int timeout_ms) {
  struct epoll_event events[512];
  int count = epoll_wait(loop_fd, events, 512, timeout_ms);
  for (int i = 0; i < count; i++) {
    switch (*(enum kind *)events[i].data.ptr) {
      case KIND_FEED_LISTENER: on_feed_listener(); break;
      case KIND_FEED: on_feed(); break;
      case KIND_PUBLISHER: on_publisher(); break;
      case KIND_CLIENT: on_client(events[i].data.ptr, events[i].events); break;
      case KIND_TIMER: break;
      case KIND_INPUT: break;
    }
  }
}

static void reset_counts(void) {
  deliveries = sent = latency_max = 0;
  memset(histogram, 0, sizeof histogram);
}

static void report(uint64_t began) {
  printf("{\"sent\":%llu,\"deliveries\":%llu,\"p50Ms\":%.3f,\"p99Ms\":%.3f,\"maxMs\":%.3f,\"seconds\":%.4f,\"ready\":%d,\"failed\":%d}\n",
         (unsigned long long)sent, (unsigned long long)deliveries, percentile(0.5) / 1000, percentile(0.99) / 1000,
         (double)latency_max / 1000, (double)(now_us() - began) / 1e6, ready, failed);
  fflush(stdout);
}

static int alive(void) {
  int count = 0;
  for (int i = 0; i < client_count; i++) count += clients[i]->fd >= 0;
  return count;
}

static void settle(uint64_t expected, int wait_ms) {
  uint64_t until = now_us() + (uint64_t)wait_ms * 1000u;
  while (deliveries < expected && now_us() < until) turn(20);
}

static void command_open(const char *rest, int churn) {
  int port;
  char file[512];
  if (sscanf(rest, "%d %d %d %127s %511s", &wanted, &parallel, &port, marker, file) != 5) die("open");
  /* Words can't hold spaces, and a marker may be none. */
  if (strcmp(marker, "-") == 0) marker[0] = 0;
  load_records(file);
  target = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  uint64_t began = now_us();
  ready = failed = started = 0;
  churning = churn;
  reset_counts();
  while (ready + failed < wanted && now_us() - began < 120000000u) {
    start_clients();
    turn(100);
  }
  churning = 0;
  report(began);
}

static void command_post(const char *rest) {
  int port;
  if (sscanf(rest, "%d %255s", &port, post_path) != 2) die("post");
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  publisher = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(publisher, (struct sockaddr *)&address, sizeof address) < 0) die("publisher");
  no_delay(publisher);
  fcntl(publisher, F_SETFL, O_NONBLOCK);
  watch(publisher, &publisher_kind, EPOLLIN, EPOLL_CTL_ADD);
  report(now_us());
}

static void command_rate(const char *rest) {
  int per_second, burst, ms, topics;
  if (sscanf(rest, "%d %d %d %d", &per_second, &burst, &ms, &topics) != 4) die("rate");
  uint64_t began = now_us(), end = began + (uint64_t)ms * 1000u;
  uint64_t step_ns = 1000000000ull * (uint64_t)burst / (uint64_t)per_second;
  struct itimerspec every = {{(time_t)(step_ns / 1000000000u), (long)(step_ns % 1000000000u)}, {0, 1}};
  timerfd_settime(timer_fd, 0, &every, NULL);
  reset_counts();
  while (now_us() < end) {
    uint64_t due = 0;
    if (read(timer_fd, &due, sizeof due) == (ssize_t)sizeof due) {
      for (uint64_t i = 0; i < due; i++) {
        uint64_t stamp = now_us();
        for (int j = 0; j < burst; j++) put_event(stamp, topics == 0 ? 0 : (int)(sent % (uint64_t)topics));
        flush_out();
      }
    }
    turn(20);
  }
  struct itimerspec never = {{0, 0}, {0, 0}};
  timerfd_settime(timer_fd, 0, &never, NULL);
  settle(sent * (uint64_t)alive(), 2000);
  report(began);
}

static void command_window(const char *rest) {
  int window, ms;
  if (sscanf(rest, "%d %d", &window, &ms) != 2) die("window");
  uint64_t began = now_us(), end = began + (uint64_t)ms * 1000u, each = (uint64_t)alive();
  reset_counts();
  while (now_us() < end) {
    while (sent < deliveries / each + (uint64_t)window) put_event(now_us(), 0);
    flush_out();
    turn(20);
  }
  settle(sent * each, 5000);
  report(began);
}

static void command_flood(const char *rest) {
  int ms, topics;
  if (sscanf(rest, "%d %d", &ms, &topics) != 2) die("flood");
  uint64_t began = now_us(), end = began + (uint64_t)ms * 1000u;
  reset_counts();
  while (now_us() < end) {
    for (int i = 0; i < 1000; i++) put_event(began, 1 + (int)(sent % (uint64_t)topics));
    while (!flush_out()) {
      struct timespec pause = {0, 200000};
      nanosleep(&pause, NULL);
    }
  }
  report(began);
}

static void command_await(const char *rest) {
  unsigned long long count;
  int ms;
  if (sscanf(rest, "%llu %d", &count, &ms) != 2) die("await");
  uint64_t began = now_us();
  settle(count, ms);
  report(began);
}

static void command_close(void) {
  for (int i = 0; i < client_count; i++) {
    if (clients[i]->fd >= 0) drop_client(clients[i]);
    free(clients[i]);
  }
  client_count = 0;
  report(now_us());
}

/* The clock that the kernel keeps for each process: exact, where /proc counts hundredths of a second. */
static void command_cpu(const char *rest) {
  double us = 0;
  char *end;
  for (long pid = strtol(rest, &end, 10); end != rest; rest = end, pid = strtol(rest, &end, 10)) {
    clockid_t clock;
    struct timespec t;
    if ((errno = clock_getcpuclockid((pid_t)pid, &clock)) != 0 || clock_gettime(clock, &t) < 0) die("cpu");
    us += (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
  }
  printf("{\"cpuUs\":%.1f}\n", us);
  fflush(stdout);
}

static void perform(char *line) {
  char name[16] = "";
  int used = 0;
  sscanf(line, "%15s %n", name, &used);
  const char *rest = line + used;
  if (strcmp(name, "open") == 0) command_open(rest, 0);
  else if (strcmp(name, "churn") == 0) command_open(rest, 1);
  else if (strcmp(name, "post") == 0) command_post(rest);
  else if (strcmp(name, "rate") == 0) command_rate(rest);
  else if (strcmp(name, "window") == 0) command_window(rest);
  else if (strcmp(name, "flood") == 0) command_flood(rest);
  else if (strcmp(name, "await") == 0) command_await(rest);
  else if (strcmp(name, "cpu") == 0) command_cpu(rest);
  else if (strcmp(name, "close") == 0) command_close();
  else die(name);
}

static void listen_for_feed(void) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  feed_listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (bind(feed_listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(feed_listener, 16) < 0) die("listen");
  getsockname(feed_listener, (struct sockaddr *)&address, &length);
  watch(feed_listener, &listener_kind, EPOLLIN, EPOLL_CTL_ADD);
  printf("{\"feedPort\":%d}\n", ntohs(address.sin_port));
  fflush(stdout);
}

int main(void) {
  loop_fd = epoll_create1(0);
  timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  watch(timer_fd, &timer_kind, EPOLLIN, EPOLL_CTL_ADD);
  watch(0, &input_kind, EPOLLIN, EPOLL_CTL_ADD);
  listen_for_feed();
  char line[2048];
  size_t held = 0;
  fcntl(0, F_SETFL, O_NONBLOCK);
  for (;;) {
    turn(1000);
    ssize_t got = read(0, line + held, sizeof line - 1 - held);
    if (got == 0) return 0;
    if (got < 0) continue;
    held += (size_t)got;
    line[held] = 0;
    char *end = strchr(line, '\n');
    if (end == NULL) continue;
    *end = 0;
    perform(line);
    held = 0;
  }
}
