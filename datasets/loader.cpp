#include "datasets/loader.h"

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "core/error.h"
#include "core/parallel.h"
#include "core/random.h"

namespace casimir {

struct Loader::State {
  struct Position {
    int64_t epoch = 0, batch = 0;
  };
  struct Item {
    AtomsBatch batch;
    bool last;  // of its epoch
  };
  static Position after(Position p, bool last) {
    return last ? Position{p.epoch + 1, 0} : Position{p.epoch, p.batch + 1};
  }

  State(std::span<const Sample> samples, const BatchOptions& options, int queue)
      : samples(samples), options(options), capacity(std::max(queue, 1)) {}
  void work();

  const std::span<const Sample> samples;
  const BatchOptions options;
  const size_t capacity;

  std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  std::deque<Item> queue;
  Position consumer, producer;  // the next batch to hand out, and to make
  uint64_t generation = 0;      // seek() counts it up: batches begun before are dropped
  std::exception_ptr error;
  bool stop = false;
  std::thread thread;
};

void Loader::State::work() {
  leave_signals_to_main();
  int64_t planned = -1;  // the epoch of `plan`
  std::vector<std::vector<int64_t>> plan;
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait(lock, [&] { return stop || (queue.size() < capacity && !error); });
    if (stop) return;
    const Position at = producer;
    const uint64_t begun = generation;
    lock.unlock();
    Item item;
    std::exception_ptr failure;
    try {
      if (planned != at.epoch) plan = plan_batches(samples, options, planned = at.epoch);
      item = {make_batch(samples, plan.at(at.batch), options.pad_beyond),
              at.batch + 1 == static_cast<int64_t>(plan.size())};
      item.batch.epoch = at.epoch;
      item.batch.index = at.batch;
    } catch (...) {
      failure = std::current_exception();
      planned = -1;
    }
    lock.lock();
    if (begun != generation) continue;
    if (failure) {
      error = failure;
    } else {
      producer = after(at, item.last);
      queue.push_back(std::move(item));
    }
    changed.notify_all();
  }
}

Loader::Loader(std::span<const Sample> samples, const BatchOptions& options, int queue)
    : state_(std::make_unique<State>(samples, options, queue)) {
  check<DataError>(!samples.empty(), "loader: no frames");
  check<Error>(options.batch_size >= 1, "loader: batch_size is ", options.batch_size);
  check<DataError>(batches(0) > 0, "loader: ", samples.size(), " frames make no batch of ",
                   options.batch_size, " with drop_last");
}

Loader::~Loader() {
  {
    std::lock_guard lock(state_->mutex);
    state_->stop = true;
  }
  state_->changed.notify_all();
  if (state_->thread.joinable()) state_->thread.join();
}

int64_t Loader::batches(int64_t epoch) const {
  const BatchOptions& options = state_->options;
  if (options.max_edges > 0)
    return static_cast<int64_t>(plan_batches(state_->samples, options, epoch).size());
  int64_t n = static_cast<int64_t>(state_->samples.size());
  return options.drop_last ? n / options.batch_size
                           : (n + options.batch_size - 1) / options.batch_size;
}

void Loader::seek(int64_t epoch, int64_t batch) {
  check<Error>(epoch >= 0 && batch >= 0 && batch <= batches(epoch), "loader: no batch ", batch,
               " in epoch ", epoch);
  bool past_end = batch == batches(epoch);
  std::lock_guard lock(state_->mutex);
  state_->consumer = past_end ? State::Position{epoch + 1, 0} : State::Position{epoch, batch};
  state_->producer = state_->consumer;
  state_->queue.clear();
  state_->error = nullptr;
  ++state_->generation;
  state_->changed.notify_all();
}

AtomsBatch Loader::next() {
  State& state = *state_;
  if (!state.thread.joinable()) state.thread = std::thread([&state] { state.work(); });
  std::unique_lock lock(state.mutex);
  state.changed.wait(lock, [&] { return !state.queue.empty() || state.error; });
  if (state.queue.empty()) std::rethrow_exception(state.error);
  State::Item item = std::move(state.queue.front());
  state.queue.pop_front();
  state.consumer = State::after(state.consumer, item.last);
  state.changed.notify_all();
  return std::move(item.batch);
}

int64_t Loader::epoch() const {
  std::lock_guard lock(state_->mutex);
  return state_->consumer.epoch;
}
int64_t Loader::batch() const {
  std::lock_guard lock(state_->mutex);
  return state_->consumer.batch;
}

Split split_by_count(int64_t n, int64_t valid, uint64_t seed) {
  check<DataError>(valid >= 0 && valid < n, "split: ", valid, " validation frames of ", n);
  std::vector<int64_t> order = Random(random_key(seed, "split")).permutation(n);
  Split split{{order.begin() + valid, order.end()}, {order.begin(), order.begin() + valid}};
  std::sort(split.train.begin(), split.train.end());
  std::sort(split.valid.begin(), split.valid.end());
  return split;
}

Split split_by_fraction(int64_t n, double valid_fraction, uint64_t seed) {
  check<DataError>(valid_fraction > 0 && valid_fraction < 1 && n >= 2, "split: a fraction of ",
                   valid_fraction, " of ", n, " frames leaves nothing on one side");
  int64_t valid = std::llround(static_cast<double>(n) * valid_fraction);
  return split_by_count(n, std::clamp<int64_t>(valid, 1, n - 1), seed);
}

}  // namespace casimir
