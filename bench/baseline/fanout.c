/*
 * The yardstick: what a fan-out costs when nothing but the kernel's work is done. It reads the same feed as every
 * contender (SSE, whole blocks) and hands each event to every client.
 *
 *   fanout FEED_PORT sse|websocket plain|coalesce
 *
 * plain: one write for each event and client. coalesce: one write for all events that came in one read. A client
 * that takes no more is dropped: a yardstick keeps no queues. The port that it listens on is printed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define FDS_MAX 20000
#define BYTES_MAX (1024 * 1024)

static int clients[FDS_MAX], client_count, place_of[FDS_MAX], greeted[FDS_MAX];
static char in[BYTES_MAX], out[2 * BYTES_MAX];
static size_t in_length, out_length;
static int is_websocket, coalesces, loop_fd;

/* The load client always sends RFC 6455's own example key, so its answer is known. */
static const char websocket_head[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
static const char sse_head[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n: ok\n\n";

static void die(const char *what) {
  fprintf(stderr, "fanout: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void watch(int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(loop_fd, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
}

static void drop(int fd) {
  if (greeted[fd]) {
    int last = clients[--client_count];
    clients[place_of[fd]] = last;
    place_of[last] = place_of[fd];
    greeted[fd] = 0;
  }
  close(fd);
}

static void hand_out(void) {
  for (int i = client_count - 1; i >= 0; i--) {
    if (send(clients[i], out, out_length, MSG_NOSIGNAL) != (ssize_t)out_length) drop(clients[i]);
  }
  out_length = 0;
}

static void add_event(const char *data, size_t length) {
  char *at = out + out_length;
  if (is_websocket) {
    *at++ = (char)0x81;
    if (length < 126) *at++ = (char)length;
    else {
      *at++ = 126;
      *at++ = (char)(length >> 8);
      *at++ = (char)length;
    }
    memcpy(at, data, length);
    at += length;
  } else {
    memcpy(at, "data: ", 6);
    memcpy(at + 6, data, length);
    memcpy(at + 6 + length, "\n\n", 2);
    at += length + 8;
  }
  out_length = (size_t)(at - out);
  if (!coalesces) hand_out();
}

static void on_feed(int fd) {
  ssize_t got = read(fd, in + in_length, sizeof in - in_length);
  if (got <= 0) exit(0);
  in_length += (size_t)got;
  size_t start = 0;
  char *end;
  while ((end = memchr(in + start, '\n', in_length - start)) != NULL) {
    size_t length = (size_t)(end - in) - start;
    if (length > 6 && memcmp(in + start, "data: ", 6) == 0) add_event(in + start + 6, length - 6);
    start += length + 1;
  }
  memmove(in, in + start, in_length - start);
  in_length -= start;
  if (out_length > 0) hand_out();
}

static void on_client(int fd) {
  char request[16384];
  ssize_t got = read(fd, request, sizeof request);
  if (got <= 0) {
    drop(fd);
    return;
  }
  if (greeted[fd]) return;
  const char *head = is_websocket ? websocket_head : sse_head;
  if (write(fd, head, strlen(head)) < 0) {
    drop(fd);
    return;
  }
  greeted[fd] = 1;
  place_of[fd] = client_count;
  clients[client_count++] = fd;
}

static int connect_feed(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) die("feed");
  static const char request[] = "GET /feed HTTP/1.1\r\nHost: x\r\n\r\n";
  if (write(fd, request, sizeof request - 1) < 0) die("feed");
  return fd;
}

int main(int count, char **words) {
  if (count != 4) die("usage");
  is_websocket = strcmp(words[2], "websocket") == 0;
  coalesces = strcmp(words[3], "coalesce") == 0;
  loop_fd = epoll_create1(0);
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4096) < 0) die("listen");
  getsockname(listener, (struct sockaddr *)&address, &length);
  watch(listener);
  int feed = connect_feed(atoi(words[1]));
  watch(feed);
  printf("{\"port\":%d}\n", ntohs(address.sin_port));
  fflush(stdout);
  for (;;) {
    struct epoll_event events[512];
    int ready = epoll_wait(loop_fd, events, 512, -1);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (fd == feed) on_feed(fd);
      else if (fd == listener) {
        for (int client; (client = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0; watch(client)) {
          if (client >= FDS_MAX) die("too many clients");
          setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        }
      } else on_client(fd);
    }
  }
}
