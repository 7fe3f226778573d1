"""Reports a stranger understands, and the progress of a run; neither knows of JAX."""

from adorym.report._comparison import write_comparison_picture as write_comparison_picture
from adorym.report._comparison import write_comparison_report as write_comparison_report
from adorym.report._content import Comparison as Comparison
from adorym.report._content import ComparisonContent as ComparisonContent
from adorym.report._content import Confidence as Confidence
from adorym.report._content import Deviations as Deviations
from adorym.report._content import Frames as Frames
from adorym.report._content import History as History
from adorym.report._content import Numbers as Numbers
from adorym.report._content import Quantity as Quantity
from adorym.report._content import ReportContent as ReportContent
from adorym.report._content import RunResult as RunResult
from adorym.report._content import Settings as Settings
from adorym.report._content import TimeSpent as TimeSpent
from adorym.report._content import ViewFits as ViewFits
from adorym.report._frame import write_frame_picture as write_frame_picture
from adorym.report._progress import BarDisplay as BarDisplay
from adorym.report._progress import LineDisplay as LineDisplay
from adorym.report._progress import ProgressDisplay as ProgressDisplay
from adorym.report._progress import SilentDisplay as SilentDisplay
from adorym.report._progress import progress_display as progress_display
from adorym.report._report import write_report as write_report
