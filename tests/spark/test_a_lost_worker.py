"""A master and two workers: one of them dies in the middle of a question, and the answer is the same."""

import threading
import time
from collections import Counter
from pathlib import Path

from pyspark import SparkContext
from sqlalchemy import func, literal_column, select, text

from core.database import Database
from segments.engines.questions import Questions
from segments.language.rules import parse_rule
from tests.segments.naive import holds
from tests.segments.population import AS_OF
from tests.spark.cluster import running_cluster
from tests.spark.conftest import SHOP, SHORT_LIVED, spark_settings

RULE = {"all": [{"orders": "count", "at_least": 1}, {"not": {"customer": "country", "is": "DE"}}]}
OPTIONS = (f"{SHORT_LIVED}&spark.sql.shuffle.partitions=6&spark.driver.memory=1g&spark.executor.memory=450m"
           "&spark.executor.cores=1&spark.driver.host=127.0.0.1&spark.driver.bindAddress=127.0.0.1&spark.sql.adaptive.enabled=false")


def _long_question() -> object:
    """Everybody with everybody with everybody with everybody, in six parts: some seconds for two workers."""
    names = text("(SELECT id FROM customers GROUP BY id) a, customers b, customers c, customers d")
    return select(func.count(literal_column("1")), func.sum(literal_column("b.id"))).select_from(names).where(
        text("(a.id * b.id + c.id * d.id) % 5 = 3"))


def _long_answer() -> tuple[int, int]:
    """The same by remainders."""
    ids = [person.id for person in SHOP]
    left = Counter(number % 5 for number in ids)
    products = Counter((one * other) % 5 for one in ids for other in ids)
    found = [(left[one] * products[(3 - one * second) % 5], second) for second in ids for one in range(5)]
    return sum(many for many, _second in found), sum(many * second for many, second in found)


def _running_tasks() -> int:
    tracker = SparkContext.getOrCreate().statusTracker()
    stages = [tracker.getStageInfo(number) for number in tracker.getActiveStageIds()]
    return sum(stage.numActiveTasks for stage in stages if stage and stage.numTasks == 6)


def test_a_worker_killed_in_the_middle_of_a_question_changes_nothing(
    shop: Database, home: Path, tmp_path: Path
) -> None:
    expected = [person.id for person in SHOP if holds(RULE, person, AS_OF)]
    with running_cluster(tmp_path) as cluster:
        asked = Questions(shop, spark_settings(home, cluster.master, OPTIONS), seconds=600)
        try:
            assert asked.ids(parse_rule(RULE), as_of=AS_OF).value == expected
            answers: list[object] = []
            thread = threading.Thread(
                target=lambda: answers.extend(asked.read(_long_question(), now=AS_OF).value))  # type: ignore[arg-type]
            thread.start()
            while _running_tasks() < 2:
                assert thread.is_alive(), "both workers must have been at it"
                time.sleep(0.05)
            cluster.kill(0)
            thread.join()
            assert answers == [_long_answer()]
            assert asked.ids(parse_rule(RULE), as_of=AS_OF).value == expected
        finally:
            asked.close()
