"""What users of such packages complain of: every question of docs/faq.rst has its tests.

The table says which; the tests here are those that fit nowhere else.
"""

import ast
import io
import pickle
import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from skorch.helper import SliceDataset
from torch import nn
from torch.utils.data import TensorDataset

from sklearn_maxl import MAXLClassifier
from sklearn_maxl._tasks.views import VIEWS
from sklearn_maxl.backbones import ConvNet
from sklearn_maxl.labels import Learned

FAQ = Path(__file__).parents[1] / "docs" / "faq.rst"

QUESTIONS = {
    "I trained on a GPU: does the model open without one?": [
        "test_persistence::test_what_was_pickled_on_a_gpu_opens_on_a_cpu",
        "test_persistence::test_device_is_that_of_load",
    ],
    "I trained on a GPU: why is the loaded model slow?": [
        "test_persistence::test_device_is_that_of_load",
    ],
    "May I use ``n_jobs=2`` with one GPU?": [
        "test_devices::test_a_device_beyond_the_last_is_refused",
        "test_complaints::test_data_stay_on_the_host_where_the_device_is_too_full",
    ],
    '"Cannot re-initialize CUDA in forked subprocess"?': [
        "test_complaints::test_nothing_but_a_fit_touches_cuda",
    ],
    "Does it run on the GPU of a Mac, or on one of Intel's?": [
        "test_devices::test_auto_is_the_accelerator_of_the_machine",
        "test_devices::test_an_accelerator_is_seeded_and_gets_its_state_back",
        "test_device_placement::test_an_epoch_on_images_without_float64",
    ],
    "What does Ctrl-C do?": [
        "test_interrupts::test_an_interrupted_trial_ends_the_fit",
        "test_interrupts::test_before_an_epoch_has_ended_there_is_nothing_to_keep",
        "test_interrupts::test_whole_epochs_are_kept_with_every_kind_of_labels",
        "test_interrupts::test_a_search_ends_and_gives_no_score_of_a_training_that_was_cut_off",
        "test_interrupts::test_who_presses_twice_does_not_wait",
    ],
    "Does ``partial_fit`` slow down in a long stream?": [
        "test_stream::test_a_late_call_costs_what_an_early_one_does",
        "test_stream::test_the_rows_and_the_pickle_are_bounded",
    ],
    "Does one fit run on several GPUs?": [
        "test_complaints::test_the_default_meta_gradient_takes_no_gradient_of_a_gradient",
    ],
    "Does a second ``fit`` go on from the weights of the first?": [
        "test_search::test_no_weight_leaks_from_one_fit_into_the_next",
        "test_reproducibility::test_a_refit_starts_afresh",
        "test_training::test_warm_start_goes_on_where_fit_stopped",
    ],
    "What does a clone keep?": [
        "test_complaints::test_a_clone_is_not_fitted_and_learns_by_itself",
        "test_search::test_a_clone_has_the_same_parameters_and_none_of_the_weights",
    ],
    "Is a part of my data held out without my asking?": [
        "test_complaints::test_a_fit_trains_on_every_row_unless_asked_to_hold_out",
        "test_training::test_validation_samples_are_not_trained_on",
    ],
    '"Expected more than 1 value per channel"?': [
        "test_complaints::test_batch_normalisation_meets_no_single_sample",
        "test_data::test_batches_are_even_and_none_is_of_one_sample",
        "test_complaints::test_a_batch_may_lack_a_class",
    ],
    "Results differ from run to run?": [
        "test_reproducibility::test_the_same_seed_gives_the_same_bits",
        "test_reproducibility::test_global_random_states_are_left_alone",
        "test_reproducibility::test_fits_at_once_give_the_bits_of_fits_in_turn",
    ],
    '"element 0 of tensors does not require grad"?': [
        "test_torch_state::test_every_method_gives_the_same_bits_inside_a_program_and_changes_nothing_there",
        "test_torch_state::test_everything_is_put_back_after_an_error",
    ],
    "It is slow with many cores, or with ``n_jobs``?": [
        "test_threads::test_the_number_holds_inside_and_is_put_back",
        "test_threads::test_a_result_does_not_depend_on_what_the_program_has_set",
    ],
    "Why does a fit on a small table take seconds?": [
        "test_trials::test_the_result_is_bitwise_that_of_the_length_chosen",
        "test_trials::test_what_is_tried",
    ],
    "Where do I set the ``num_workers`` of the data loader?": [
        "test_complaints::test_no_data_loader_is_used",
    ],
    "How do I see progress, or nothing?": [
        "test_training::test_a_quiet_fit_says_nothing",
        "test_training::test_verbose_logs_a_line_an_epoch_and_prints_nothing",
        "test_training::test_the_progress_bar_of_skorch_runs",
    ],
    '"Expected Float but got Double", or ``Long`` labels?': [
        "test_inputs::test_every_form_of_a_table_gives_the_same_predictions",
        "test_inputs::test_labels_of_any_type_come_back_as_they_were",
    ],
    '"Found array with dim 4", or a torch ``Dataset`` in a search?': [
        "test_search::test_a_grid_over_images_needs_no_scaler",
        "test_meta_estimators::test_images_as_rows",
        "test_inputs::test_every_form_of_images_gives_the_same_predictions",
        "test_errors::test_a_wrong_fit_says_what_is_wrong",
        "test_complaints::test_a_slice_of_a_data_set_is_an_array",
    ],
    "Missing values, categories, names of columns?": [
        "test_contents::test_what_is_no_number_is_refused_with_its_columns_and_a_cure",
        "test_inputs::test_names_of_columns_are_kept_and_checked",
        "test_meta_estimators::test_categories_are_encoded_in_front",
    ],
    "Sparse matrices, of ``OneHotEncoder`` or ``TfidfVectorizer``?": [
        "test_contents::test_encoders_that_make_sparse_matrices_work_in_front",
        "test_contents::test_a_sparse_matrix_larger_than_the_memory_is_refused",
    ],
    "How many classes may there be?": [
        "test_complaints::test_the_mask_grows_with_the_square_of_the_number_of_classes",
    ],
    "Does it take weights of samples and classes?": [
        "test_weights::test_unit_weights_are_no_weights_bitwise",
        "test_weights::test_weight_zero_is_the_same_as_no_row_bitwise",
        "test_weights::test_class_weights_are_sample_weights",
        "test_meta_estimators::test_boosting_hands_on_the_weights",
    ],
    "Does it work in searches and pipelines?": [
        "test_common::test_passes_the_checks_of_scikit_learn",
        "test_meta_estimators::test_tables",
        "test_meta_estimators::test_at_the_end_of_a_pipeline",
    ],
    "Which scorers work?": [
        "test_meta_estimators::test_every_scorer_that_scores_another_classifier_scores_this_one",
        "test_complaints::test_it_is_a_classifier",
    ],
    '"Can\'t pickle local object"?': [
        "test_complaints::test_a_lambda_goes_to_workers_but_not_into_a_pickle",
        "test_persistence::test_own_networks_are_given_to_load",
    ],
    "Why is the pickle so large?": [
        "test_persistence::test_a_pickle_holds_the_networks_and_the_optimizer_and_no_data",
        "test_complaints::test_save_leaves_the_optimizers_out",
    ],
    "Does an exported network take any batch size, and answer as ``predict``?": [
        "test_export::test_the_module_answers_as_the_estimator",
        "test_export::test_an_exported_program_takes_any_number_of_samples",
        "test_export::test_the_network_itself_keeps_no_number_of_rows",
        "test_export::test_an_onnx_file_answers_as_the_estimator",
    ],
}


@cache
def functions_of(file):
    """Names of the functions in a test file."""
    tree = ast.parse((Path(__file__).parent / f"{file}.py").read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("tests", QUESTIONS.values(), ids=QUESTIONS)
def test_the_tests_of_a_question_exist(tests):
    for test in tests:
        file, name = test.split("::")
        assert name in functions_of(file), test


def test_the_page_has_these_questions_and_no_others():
    lines = FAQ.read_text().splitlines()
    headings = [a for a, b in pairwise(lines) if b and set(b) == {"~"}]
    assert sorted(headings) == sorted(QUESTIONS)


def quick(**parameters):
    return MAXLClassifier(**{"max_epochs": 2, "random_state": 0, **parameters})


# Devices


def test_nothing_but_a_fit_touches_cuda():
    script = (
        "import torch\n"
        "def refuse(*args):\n"
        "    raise SystemExit('CUDA was touched')\n"
        "for name in ('_lazy_init', 'is_available', 'device_count', 'init'):\n"
        "    setattr(torch.cuda, name, refuse)\n"
        "    setattr(torch.accelerator, name, refuse)\n"
        "from sklearn.base import clone\n"
        "import sklearn_maxl, sklearn_maxl.comparison, sklearn_maxl.datasets\n"
        "import sklearn_maxl.backbones, sklearn_maxl.callbacks, sklearn_maxl.functional\n"
        "import sklearn_maxl.labels, sklearn_maxl.optimizers, sklearn_maxl.plots\n"
        "for device in ('auto', 'cuda', 'cuda:1'):\n"
        "    clf = sklearn_maxl.MAXLClassifier(device=device)\n"
        "    repr(clone(clf).set_params(lr=0.1)), clf._repr_html_()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_data_stay_on_the_host_where_the_device_is_too_full(monkeypatch):
    from sklearn_maxl._data.samples import fits

    cuda = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 4000))
    assert [fits(n, cuda) for n in (500, 501)] == [True, False]
    assert fits(10**15, torch.device("cpu"))


def test_the_default_meta_gradient_takes_no_gradient_of_a_gradient(iris, monkeypatch):
    asked, backward = [], torch.autograd.grad

    def spy(*args, create_graph=False, **kwargs):
        asked.append(create_graph)
        return backward(*args, create_graph=create_graph, **kwargs)

    monkeypatch.setattr(torch.autograd, "grad", spy)
    quick(auxiliary=Learned(every=1), max_epochs=1).fit(*iris)
    assert asked
    assert not any(asked)
    labels = Learned(every=1, meta_gradient="double_backward")
    quick(auxiliary=labels, max_epochs=1).fit(*iris)
    assert any(asked)


# Fitting


def test_a_clone_is_not_fitted_and_learns_by_itself(iris):
    X, y = iris
    clf = quick().fit(X, y)
    before, other = clf.predict_proba(X), clone(clf)
    with pytest.raises(NotFittedError):
        other.predict(X)
    with pytest.raises(ValueError, match="classes must be passed"):
        other.partial_fit(X, y)
    fresh = quick().partial_fit(X, y, classes=[0, 1, 2]).predict_proba(X)
    other.partial_fit(X, y, classes=[0, 1, 2])
    np.testing.assert_array_equal(other.predict_proba(X), fresh)
    np.testing.assert_array_equal(clf.predict_proba(X), before)
    assert clf.n_iter_ == 2


class Seen(Callback):
    """Counts the samples of every epoch."""

    def on_train_begin(self, net, **kwargs):
        self.counts_ = []

    def on_epoch_begin(self, net, **kwargs):
        self.counts_.append(0)

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        self.counts_[-1] += len(batch)


@pytest.mark.parametrize(
    ("parameters", "n"),
    [
        ({}, 150),
        ({"early_stopping": True}, 135),
        ({"auxiliary": Learned(meta_batch="holdout")}, 135),
    ],
)
def test_a_fit_trains_on_every_row_unless_asked_to_hold_out(iris, parameters, n):
    clf = quick(callbacks=[Seen()], **parameters).fit(*iris)
    assert clf.net_.callbacks[0].counts_ == [n, n]


@pytest.mark.parametrize("n", [33, 49, 65])
def test_batch_normalisation_meets_no_single_sample(n):
    X, y = load_digits(n_class=2, return_X_y=True)
    X = X[:n].reshape(-1, 1, 8, 8)
    clf = quick(backbone=ConvNet((4,)), batch_size=16).fit(X, y[:n])  # one would be left over
    assert np.isfinite(clf.predict_proba(X)).all()


def test_a_batch_may_lack_a_class(iris):
    order = np.arange(0, 150, 3)  # few samples: batches of two, of three classes
    clf = quick(batch_size=2, auxiliary=Learned(every=1)).fit(iris[0][order], iris[1][order])
    assert np.isfinite(clf.history_["auxiliary_loss"]).all()
    assert np.isfinite(clf.history_["meta_loss"]).all()


def test_no_data_loader_is_used(iris, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a DataLoader was made")

    monkeypatch.setattr(torch.utils.data.DataLoader, "__init__", refuse)
    assert quick().fit(*iris).predict(iris[0]).shape == (150,)


# Data and scikit-learn


def test_a_slice_of_a_data_set_is_an_array(iris):
    X, y = iris
    data = TensorDataset(torch.tensor(X), torch.tensor(y))
    clf = quick().fit(SliceDataset(data, 0), SliceDataset(data, 1))
    np.testing.assert_array_equal(clf.predict_proba(X), quick().fit(X, y).predict_proba(X))
    stacked = map(np.stack, zip(*data, strict=True))  # as the error about data sets says
    np.testing.assert_array_equal(quick().fit(*stacked).predict_proba(X), clf.predict_proba(X))


def test_the_mask_grows_with_the_square_of_the_number_of_classes():
    from sklearn_maxl._tasks.auxiliary import Hierarchy

    psi = np.full(100, 5)
    assert Hierarchy(psi).mask.nbytes == 100 * 500
    assert Hierarchy(psi, VIEWS["rotations"]((1, 8, 8))).mask.nbytes == 16 * 100 * 500


def test_it_is_a_classifier():
    assert is_classifier(MAXLClassifier())


def test_a_lambda_goes_to_workers_but_not_into_a_pickle(iris, tmp_path):
    clf = quick(backbone=lambda shape: nn.Linear(*shape, 8))
    search = GridSearchCV(clf, {"lr": [0.01, 0.02]}, cv=2, n_jobs=2, error_score="raise").fit(*iris)
    best = search.best_estimator_
    with pytest.raises((AttributeError, pickle.PicklingError), match=r"Can't .*lambda"):
        pickle.dump(best, io.BytesIO())
    best.save(tmp_path / "clf.safetensors")
    other = MAXLClassifier.load(tmp_path / "clf.safetensors", backbone=clf.backbone)
    np.testing.assert_array_equal(other.predict_proba(iris[0]), best.predict_proba(iris[0]))


def test_save_leaves_the_optimizers_out(iris, tmp_path):
    clf = quick().fit(*iris)
    clf.save(tmp_path / "clf.safetensors")
    assert (tmp_path / "clf.safetensors").stat().st_size < len(pickle.dumps(clf)) / 2
