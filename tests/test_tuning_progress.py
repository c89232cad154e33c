"""Which task gets the next batch."""

from harness.backends._tvm_tuning.progress import Progress, most_promising, whole_s


def test_the_task_that_takes_most_of_the_time_comes_first() -> None:
    small, large = Progress(weight=1, default_s=2e-3), Progress(weight=3, default_s=1e-3)
    assert most_promising([small, large]) == 1


def test_a_task_that_stops_gaining_yields_to_one_that_was_hardly_tried() -> None:
    tuned, other = Progress(weight=1, default_s=50e-3), Progress(weight=1, default_s=3e-3)
    tuned.add(10e-3)
    other.add(3e-3)
    assert most_promising([tuned, other]) == 0
    for _ in range(4):
        tuned.add(10e-3)
    assert most_promising([tuned, other]) == 1


def test_of_two_equal_tasks_the_one_that_still_gains_comes_first() -> None:
    flat, falling = Progress(1, 1e-3), Progress(1, 4e-3)
    for time_s in (1e-3, 1e-3, 1e-3, 1e-3):
        flat.add(time_s)
    for time_s in (3e-3, 2.5e-3, 1.5e-3, 1e-3):
        falling.add(time_s)
    assert flat.best_s == falling.best_s
    assert most_promising([flat, falling]) == 1


def test_a_batch_without_times_leaves_the_best_time_and_counts() -> None:
    task = Progress(1, 2e-3)
    task.add(float("inf"))
    assert task.best_s == 2e-3
    assert task.promise_s() < Progress(1, 2e-3).promise_s()


def test_tasks_without_new_candidates_and_busy_ones_are_passed_over() -> None:
    tasks = [Progress(1, 9e-3), Progress(1, 8e-3), Progress(1, 7e-3)]
    tasks[0].stale = 3
    assert most_promising(tasks) == 1
    assert most_promising(tasks, busy=[1]) == 2
    assert most_promising(tasks, busy=[1, 2]) is None


def test_a_task_known_from_an_earlier_job_starts_where_that_ended() -> None:
    known = Progress(2, 5e-3, best_s=1e-3, batches=10)
    assert known.share_s == 2e-3
    assert known.promise_s() < Progress(2, 1e-3).promise_s() / 5


def test_the_model_takes_the_sum_of_its_tasks() -> None:
    tasks = [Progress(3, 2e-3), Progress(1, 1e-3)]
    tasks[0].add(1e-3)
    assert abs(whole_s(tasks) - 4e-3) < 1e-12


def test_each_task_that_takes_time_has_a_batch_before_any_has_two() -> None:
    tasks = [Progress(1, 9e-3), Progress(1, 5e-3), Progress(1, 1e-3)]
    order = []
    for _ in range(4):
        place = most_promising(tasks)
        assert place is not None
        order.append(place)
        tasks[place].add(tasks[place].best_s * 0.9)
    assert order == [0, 1, 2, 0]


def test_the_smallest_tasks_wait_until_half_of_the_job_is_spent() -> None:
    tasks = [Progress(1, 10e-3), Progress(1, 10e-6)]
    tasks[0].add(9e-3)
    assert most_promising(tasks, spent=0.1) == 0
    assert most_promising(tasks, spent=0.6) == 1


def test_a_process_leaves_its_own_tasks_for_one_that_promises_far_more() -> None:
    tasks = [Progress(1, 3e-3), Progress(1, 4e-3), Progress(1, 9e-3)]
    for task in tasks:
        task.add(task.best_s)
    assert most_promising(tasks, busy=[2], own=[0]) == 0
    assert most_promising(tasks, own=[0]) == 2
