//! Everything the user can ask for: what a key or a command does.

/// One thing the user can ask for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// One row down.
    Down,
    /// One row up.
    Up,
    /// Half a page down.
    HalfPageDown,
    /// Half a page up.
    HalfPageUp,
    /// A page down.
    PageDown,
    /// A page up.
    PageUp,
    /// To the oldest row.
    First,
    /// To the newest row, and follow.
    Follow,
    /// Select the column to the left.
    ColumnLeft,
    /// Select the column to the right.
    ColumnRight,
    /// Open the detail; in the detail, fold or unfold.
    Open,
    /// One level back.
    Back,
    /// Leave this view, or the program.
    Quit,
    /// Leave the program at once.
    QuitNow,
    /// Edit the filter.
    EditFilter,
    /// The conditions of the filter, to be switched off and on.
    Conditions,
    /// Clear the filter.
    ClearFilter,
    /// Next match.
    NextMatch,
    /// Previous match.
    PreviousMatch,
    /// Show only matches, or all with matches marked.
    ToggleNarrow,
    /// Include the value under the cursor.
    Include,
    /// Exclude the value under the cursor.
    Exclude,
    /// Only the value under the cursor.
    Only,
    /// Show or hide routine traffic; in the alerts, the next list.
    ToggleRoutine,
    /// Every stage, or one row a request.
    ToggleStages,
    /// Go to a time.
    GoToTime,
    /// The keys go to the histogram, or back.
    FocusHistogram,
    /// The bar to the left.
    BarLeft,
    /// The bar to the right.
    BarRight,
    /// Begin a selection of bars, or take it away.
    SelectBars,
    /// A shorter stretch of the histogram, or of the range.
    ZoomIn,
    /// A longer one.
    ZoomOut,
    /// An earlier one.
    ShiftBack,
    /// A later one.
    ShiftForward,
    /// Compare with the same stretch a day ago.
    CompareDayAgo,
    /// Show all times again.
    ClearRange,
    /// Next way to show times.
    CycleTime,
    /// Next failure.
    NextFailure,
    /// Previous failure.
    PreviousFailure,
    /// To the next row with a part in an alert.
    NextAlert,
    /// To the one before.
    PreviousAlert,
    /// Next write.
    NextWrite,
    /// Previous write.
    PreviousWrite,
    /// Next on the same object.
    NextSameObject,
    /// Previous on the same object.
    PreviousSameObject,
    /// Next by the same user.
    NextSameUser,
    /// Previous by the same user.
    PreviousSameUser,
    /// Mark the row, or take its mark away; in the alerts, acknowledge.
    Mark,
    /// Only marked rows, or all.
    ToggleMarksOnly,
    /// The list of marks.
    MarkList,
    /// What to copy.
    CopyMenu,
    /// Where the detail is shown.
    CyclePlacement,
    /// The next pane.
    NextPane,
    /// Reveal or mask secret values.
    ToggleReveal,
    /// Next stage of the request, in the detail; the other order, in a table.
    NextStage,
    /// The timeline.
    ShowTimeline,
    /// The users screen.
    ShowUsers,
    /// The alerts screen.
    ShowAlerts,
    /// The rules screen.
    ShowRules,
    /// In the alerts: put them together by something else.
    GroupAlerts,
    /// In the alerts: close or mute the one under the cursor.
    Deal,
    /// The statistics screen.
    ShowStatistics,
    /// The history of one object.
    ShowObject,
    /// History of the object of the event under the cursor.
    History,
    /// What led to it and what it set off.
    Chain,
    /// Why it was allowed or refused.
    Access,
    /// The session it belongs to, as kubectl lines.
    Session,
    /// One write further in a session or history.
    StepForward,
    /// One write back.
    StepBack,
    /// Save what is marked or chosen to a file.
    Save,
    /// Attach a note to the event under the cursor.
    Note,
    /// The screen before.
    PreviousScreen,
    /// The values of any field, with their counts.
    Facets,
    /// Group the rows by fields.
    GroupBy,
    /// What people changed lately.
    Changes,
    /// The named filters of the configuration.
    NamedFilters,
    /// What was muted, to take it back.
    Mutes,
    /// The command line.
    Command,
    /// All commands, found by a few letters.
    Palette,
    /// Help.
    Help,
    /// Notices.
    Notices,
    /// The logs that are open.
    Sources,
    /// Read another log.
    OpenLog,
    /// Drop a log.
    CloseLog,
    /// Draw everything anew.
    Repaint,
    /// Suspend the program.
    Suspend,
}
